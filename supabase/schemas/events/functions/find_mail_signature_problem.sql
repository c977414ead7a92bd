-- Why what is told of a mail is not Resend's own; null if it is. Svix's scheme, which became Standard Webhooks: the headers svix-id,
-- svix-timestamp and svix-signature, here with a blank between; the signature is `v1,` and the base64 of the HMAC-SHA256 of
-- `ID.TIMESTAMP.BODY` with the endpoint's secret, and several stand there while a secret is rolled, with blanks between. Times may differ
-- by five minutes.
--
-- Hashes of the signatures are compared and not the signatures, so that how long it takes says nothing about them.
--
-- Callers: interlock.mail_webhook.
-- Locks: none.
-- Errors: none; answers missing, malformed, no_secret, too_old, in_the_future or mismatch.
create function interlock.find_mail_signature_problem(p_body text, p_signature text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_id constant text := split_part(p_signature, ' ', 1);
  v_time constant text := split_part(p_signature, ' ', 2);
  v_signatures bytea[];
  v_age interval;
  v_secrets int;
  v_matches boolean;
begin
  if btrim(coalesce(p_signature, '')) = '' then
    return 'missing';
  elsif char_length(p_signature) > 4096 or v_id = '' or v_time !~ '^[0-9]{1,12}$' then
    return 'malformed';
  end if;

  select array_agg(decode(substr(s.part, 4), 'base64'))
  into v_signatures
  from string_to_table(p_signature, ' ') as s (part)
  -- Of 32 bytes, and nothing that could not be decoded.
  where s.part ~ '^v1,[A-Za-z0-9+/]{43}=$';
  if v_signatures is null then
    return 'malformed';
  end if;

  -- Once for each secret, however many signatures somebody sends.
  with expected as materialized (
    select interlock.hmac_sha256(
      decode(substr(s.secret, 7), 'base64'), convert_to(concat_ws('.', v_id, v_time, p_body), 'UTF8')
    ) as signature
    from interlock.mail_webhook_secrets s
  )
  select count(*), bool_or(sha256(e.signature) = sha256(g.signature))
  into v_secrets, v_matches
  from expected e
  cross join unnest(v_signatures) as g (signature);

  v_age := interlock.clock() - to_timestamp(v_time::bigint);
  return case
    when v_secrets = 0 then 'no_secret'
    when not v_matches then 'mismatch'
    when v_age > interval '5 minutes' then 'too_old'
    when v_age < interval '-5 minutes' then 'in_the_future'
  end;
end
$$;
