-- The stored answer of a request, if its key has one that still counts.
--
-- Callers: interlock.begin_idempotent; functions that look before they lock and have checked the key.
-- Errors: UNAUTHENTICATED (the account is gone), IDEMPOTENCY_KEY_REUSED, INTERNAL. Null without a key, for a new key and
--   for one that is over.
-- Effect: where it answers, PostgREST sends the header Idempotent-Replayed: true.
create function interlock.find_idempotent(
  p_operation text,
  p_key text,
  p_request jsonb,
  p_shop boolean default false
)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_row interlock.idempotency_keys;
begin
  if p_key is null then
    return null;
  end if;

  select k.*
  into v_row
  from interlock.idempotency_keys k
  where k.user_id = coalesce(case when not p_shop then auth.uid() end, '00000000-0000-0000-0000-000000000000')
    and k.operation = p_operation
    and k.key = p_key
    and k.expires_at > interlock.clock();

  if not found then
    return null;
  end if;

  if auth.uid() is not null then
    perform interlock.require_user();
  end if;

  if v_row.request_hash <> sha256(convert_to(p_request::text, 'UTF8')) then
    perform interlock.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('operation', p_operation));
  end if;

  -- Only a function that has begun and not finished leaves a key without an answer.
  if v_row.response is null then
    perform interlock.raise_error('INTERNAL', jsonb_build_object('operation', p_operation));
  end if;

  perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
  return v_row.response;
end
$$;
