-- Remove keys whose time is over, at most p_limit of them; answers how many. What is left is the next call's: call it
-- until it answers 0.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.purge_idempotency_keys.
-- Locks: the keys it deletes; those that somebody is using are passed over.
-- Security definer: nobody has delete on the table.
create function interlock.purge_idempotency_keys(p_limit int default 10000)
returns int
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_purged int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  delete from interlock.idempotency_keys
  where ctid = any (array(
    select k.ctid
    from interlock.idempotency_keys k
    where k.expires_at <= interlock.clock()
    limit greatest(coalesce(p_limit, 10000), 0)
    for update skip locked
  ));

  get diagnostics v_purged = row_count;
  return v_purged;
end
$$;
