-- Store the answer with the key.
--
-- Callers: every function that has called interlock.begin_idempotent.
-- Locks: the key's row, held already.
create function interlock.finish_idempotent(
  p_operation text,
  p_key text,
  p_response text,
  p_shop boolean default false
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_key is not null then
    update interlock.idempotency_keys k
    set response = p_response
    where k.user_id = coalesce(case when not p_shop then auth.uid() end, '00000000-0000-0000-0000-000000000000')
      and k.operation = p_operation
      and k.key = p_key;
  end if;
end
$$;
