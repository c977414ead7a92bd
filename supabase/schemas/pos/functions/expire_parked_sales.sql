-- End parked sales whose time is over, each in a sub-transaction of its own; answers how many. What cannot be ended at once
-- (somebody is using it, or its stock) is left for the next call, which takes them in another order.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.expire_parked_sales.
-- Locks: due parked sales one after the other, those that nobody else is locking (skip locked); for each then as
--   interlock.end_parked_sale. They stay locked until the transaction ends, against the order of locks, so each wait is a
--   moment: 50 milliseconds for the first, one from then on.
-- Errors: none of a parked sale's own.
-- Security definer: nobody has the right to write parked sales or stock.
create function interlock.expire_parked_sales(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 100), 0);
  v_until timestamptz := clock_timestamp() + interval '1 second';
  v_id uuid;
  v_parked interlock.parked_sales;
  v_ended int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_id in
    select p.id
    from interlock.parked_sales p
    where p.ended_at is null
      and p.expires_at <= interlock.clock()
    order by random()
  loop
    exit when v_ended >= v_limit or clock_timestamp() > v_until;

    begin
      -- The lock compares again: one that was sold or parked anew meanwhile drops out.
      select p.*
      into v_parked
      from interlock.parked_sales p
      where p.id = v_id
        and p.ended_at is null
        and p.expires_at <= interlock.clock()
      for no key update skip locked;
      continue when not found;

      perform interlock.end_parked_sale(v_parked, 'expired');
      v_ended := v_ended + 1;
      v_until := least(v_until, clock_timestamp() + interval '100 milliseconds');
      perform set_config('lock_timeout', '1ms', true);
    exception
      when others then
        raise warning 'parked sale % cannot expire: % %', v_id, sqlstate, sqlerrm;
    end;
  end loop;
  return v_ended;
end
$$;
