-- Remove keys whose time is over, and tokens of guests that nobody has used, at most p_limit of each; answers how many. What
-- is left is the next call's: call it until it answers 0.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.purge_idempotency_keys.
-- Locks: the rows it deletes; those that somebody is using are passed over.
-- Security definer: nobody has delete on the table.
create function interlock.purge_idempotency_keys(p_limit int default 10000)
returns int
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 10000), 0);
  v_keys int;
  v_tokens int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  delete from interlock.idempotency_keys
  where ctid = any (array(
    select k.ctid
    from interlock.idempotency_keys k
    where k.expires_at <= interlock.clock()
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_keys = row_count;

  delete from interlock.order_transfers
  where ctid = any (array(
    select t.ctid
    from interlock.order_transfers t
    where t.moved_at is null
      and t.expires_at <= interlock.clock()
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_tokens = row_count;

  return v_keys + v_tokens;
end
$$;
