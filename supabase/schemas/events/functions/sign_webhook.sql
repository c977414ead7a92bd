-- The header webhook-signature (Standard Webhooks): for each secret of the endpoint that counts `v1,` and the base64 of the
-- HMAC-SHA256 of `ID.TIMESTAMP.BODY`, the present secret's first.
--
-- Callers: interlock.claim_deliveries.
-- Locks: none.
create function interlock.sign_webhook(p_endpoint_id uuid, p_id text, p_timestamp bigint, p_body text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select string_agg(
      'v1,' || encode(
        interlock.hmac_sha256(
          decode(substr(s.secret, 7), 'base64'), convert_to(concat_ws('.', p_id, p_timestamp, p_body), 'UTF8')
        ),
        'base64'
      ),
      ' ' order by s.id desc
    )
    from interlock.webhook_secrets s
    where s.endpoint_id = p_endpoint_id
      and (s.valid_until is null or s.valid_until > interlock.clock())
  );
end
$$;
