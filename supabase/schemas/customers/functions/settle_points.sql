-- Book the points that orders of the web shop have earned or lost, of at most so many customers. What is left is the next call's.
--
-- Callers: the job settle-points.
-- Locks: as interlock.lock_points, one customer at a time, in the order of their ids.
create function interlock.settle_points(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_customers int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  delete from interlock.points_due d
  where not exists (select from interlock.customers c where c.user_id = d.user_id);

  with due as materialized (
    select c.id
    from interlock.customers c
    where c.user_id in (select d.user_id from interlock.points_due d)
    order by c.id
    limit p_limit
  )
  select count(interlock.lock_points(due.id)) into v_customers from due;
  return v_customers;
end
$$;
