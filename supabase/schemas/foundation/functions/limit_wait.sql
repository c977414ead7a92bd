-- Let the next lock be waited for only as long as the call has left: two seconds for all its waits together, counted
-- from the statement that the client sent (in a procedure that commits, from its present transaction). A shorter limit,
-- as a sweep has, stays. Always true, so that it can stand in a condition.
--
-- Whoever calls it asks first whether a tenth of a second has passed at all, in an expression that costs a hundredth
-- of this call: as long as nothing had to be waited for, lock_timeout is what the function set. In the list of a
-- `select … for no key update` Postgres asks before it locks each row, as the lock is taken above the projection.
-- Where no limit of ours is in force (SQL of the shop's own that fires a trigger) nothing is set: it would outlive
-- the statement.
--
-- Callers: every helper that waits for a lock which need not be the first of its call.
create function interlock.limit_wait()
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_limit constant interval := interval '2 seconds';
  v_present constant interval := current_setting('lock_timeout')::interval;
  v_left constant interval := least(v_present, greatest(statement_timestamp(), now()) + v_limit - clock_timestamp());
begin
  if v_present between interval '1 millisecond' and v_limit then
    perform set_config('lock_timeout', greatest(extract(epoch from v_left) * 1000, 1)::int::text, true);
  end if;
  return true;
end
$$;
