-- What was answered to the sale of this register under this key, if there is one: whoever sends it, however late. A sale of which the
-- till says another time is another one.
--
-- Callers: interlock.begin_sale; interlock.make_sale, before it refuses what a look has seen.
-- Locks: none.
-- Errors: IDEMPOTENCY_KEY_REUSED. Null without a key, and for a new one.
-- Effect: where it answers, PostgREST sends the header Idempotent-Replayed: true.
create function interlock.find_sale_answer(p_register_id uuid, p_key text, p_client_time timestamptz, p_request jsonb)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_row interlock.sale_keys;
begin
  if p_key is null then
    return null;
  end if;
  select k.* into v_row from interlock.sale_keys k where k.register_id = p_register_id and k.key = p_key;
  if not found then
    return null;
  end if;
  if v_row.request_hash <> interlock.sale_hash(p_request, p_client_time is not null)
    or v_row.client_time <> p_client_time
  then
    perform interlock.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('operation', 'pos_sale'));
  end if;
  perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
  return v_row.answer;
end
$$;
