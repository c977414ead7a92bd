-- Call the function deliver for the present shop, with the secret that the platform's vault has; answers whether pg_net and the vault are there.
--
-- Callers: interlock.call_deliver.
-- Locks: none.
-- Errors: P0001, which the job reports, if the vault does not have the secret.
-- Security definer: what is the platform's belongs to no shop (interlock.serve_shops).
create function interlock.post_deliver(p_url text)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_secret text;
begin
  if
    to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)') is null
    or to_regclass('vault.decrypted_secrets') is null
  then
    return false;
  end if;
  execute 'select s.decrypted_secret from vault.decrypted_secrets s where s.name = $1'
  into v_secret
  using 'interlock_deliver_secret';
  if v_secret is null then
    raise exception 'the vault has no secret interlock_deliver_secret'
      using hint = 'select vault.create_secret(SECRET, ''interlock_deliver_secret''), with the one that set_deliver_secret was given';
  end if;
  execute 'select net.http_post($1, $2, $3, $4, $5)'
  using p_url, '{}'::jsonb, '{}'::jsonb, jsonb_build_object(
    'content-type', 'application/json', 'x-deliver-secret', v_secret
  ) || case when interlock.serves_shops() then jsonb_build_object('x-shop', interlock.shop_id()::text) else '{}' end, 60000;
  return true;
end
$$;
