-- Give the key back, after nothing was done under it. Whoever waits for it does the work themselves.
--
-- Callers: functions that have called interlock.begin_idempotent and found nothing left to do.
-- Locks: the key's row, held already.
create function interlock.forget_idempotent(p_operation text, p_key text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  delete from interlock.idempotency_keys k
  where k.user_id = coalesce(auth.uid(), '00000000-0000-0000-0000-000000000000')
    and k.operation = p_operation
    and k.key = p_key;
end
$$;
