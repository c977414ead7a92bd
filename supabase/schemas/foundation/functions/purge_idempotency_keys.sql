-- Remove keys whose time is over; answers how many.
--
-- Callers: pg_cron; service_role, also through public.purge_idempotency_keys.
-- Locks: the keys it deletes; those that somebody is using are passed over.
-- Security definer: nobody has delete on the table.
create function interlock.purge_idempotency_keys()
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_purged bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  delete from interlock.idempotency_keys
  where ctid = any (array(
    select k.ctid
    from interlock.idempotency_keys k
    where k.expires_at <= interlock.clock()
    for update skip locked
  ));

  get diagnostics v_purged = row_count;
  return v_purged;
end
$$;
