-- Why an event is not the provider's own; null if it is. Stripe's scheme: the header is `t=SECONDS,v1=HEX,…`, a signature
-- the HMAC-SHA256 of `SECONDS.BODY` with the endpoint's secret; several v1 are sent while a secret is rolled, what else
-- stands there is passed over. Times may differ by five minutes (https://docs.stripe.com/webhooks, "Verify manually").
--
-- Hashes of the signatures are compared and not the signatures, so that how long it takes says nothing about them.
--
-- Callers: interlock.payment_webhook.
-- Locks: none.
-- Errors: none; answers missing, malformed, no_secret, too_old, in_the_future or mismatch.
create function interlock.find_signature_problem(p_provider text, p_body text, p_signature text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_time text;
  v_signatures bytea[];
  v_age interval;
  v_secrets int;
  v_matches boolean;
begin
  if coalesce(p_signature, '') = '' then
    return 'missing';
  elsif char_length(p_signature) > 4096 then
    return 'malformed';
  end if;

  select
    min(p.value) filter (where p.name = 't'),
    array_agg(decode(p.value, 'hex')) filter (where p.name = 'v1' and p.value ~ '^[0-9a-f]+$' and char_length(p.value) = 64)
  into v_time, v_signatures
  from (
    select split_part(btrim(e.element), '=', 1) as name, split_part(btrim(e.element), '=', 2) as value
    from string_to_table(p_signature, ',') as e (element)
  ) p;

  if v_time is null or v_time !~ '^[0-9]+$' or char_length(v_time) > 12 or v_signatures is null then
    return 'malformed';
  end if;

  -- Once for each secret, however many signatures somebody sends.
  with expected as materialized (
    select interlock.hmac_sha256(
      convert_to(s.secret, 'UTF8'), convert_to(v_time || '.' || p_body, 'UTF8')
    ) as signature
    from interlock.payment_secrets s
    where s.provider = p_provider
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
