-- Make the secret by which an endpoint's webhooks are signed from now on, and answer it: 32 random bytes.
--
-- Callers: interlock.create_webhook_endpoint, interlock.roll_webhook_secret.
-- Locks: none that is not held.
create function interlock.add_webhook_secret(p_endpoint_id uuid)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_secret constant text := 'whsec_' || encode(
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'
  );
begin
  insert into interlock.webhook_secrets (endpoint_id, secret) values (p_endpoint_id, v_secret);
  return v_secret;
end
$$;
