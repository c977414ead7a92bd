-- End orders that were not paid, or that the shop has not gone on with, in time, or whose proof of payment nobody decided
-- in time; answers how many. Each is ended in a sub-transaction of its own: one that cannot be ended (its product is
-- locked, or has no room) is left as it is and takes nobody's turn. What is left is the next call's: call it until it
-- answers 0.
--
-- First those that can be ended at once, the oldest first. Only if that ends none does it wait for what is locked, a
-- moment for each, in no order: one that nobody can end does not keep its place at the head. Then it warns, once for
-- each that is left. Either go lasts a second at most, and a tenth of one after the first order that it has ended.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.expire_orders.
-- Locks: due orders one after the other, those that nobody else is locking (skip locked); for each then as
--   interlock.settle_orders. What was ended stays locked until the transaction ends, against the order of locks, so the
--   next wait must be too short for anybody to be hurt by it: 50 milliseconds, as a rule one.
-- Errors: none of an order's own.
-- Security definer: nobody has the right to write orders.
create function interlock.expire_orders(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 100), 0);
  v_wait text;
  v_until timestamptz;
  v_order_id uuid;
  v_expired int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  foreach v_wait in array array['1ms', '50ms'] loop
    perform set_config('lock_timeout', v_wait, true);
    v_until := clock_timestamp() + interval '1 second';

    for v_order_id in
      select o.id
      from interlock.orders o
      where o.status in ('pending_payment', 'confirmed')
        and o.payment_expires_at <= interlock.clock()
        and o.fulfillment = 'unfulfilled'
      order by case when v_wait = '1ms' then o.payment_expires_at end, random()
    loop
      exit when v_expired >= v_limit or clock_timestamp() > v_until;

      begin
        -- The lock compares again on the newest version of the row: an order that was paid, is on its
        -- way, or got a proof meanwhile (and with it a later deadline) drops out.
        perform 1
        from interlock.orders o
        where o.id = v_order_id
          and o.status in ('pending_payment', 'confirmed')
          and o.payment_expires_at <= interlock.clock()
          and o.fulfillment = 'unfulfilled'
        for no key update skip locked;
        continue when not found;

        update interlock.orders o
        set status = 'expired'
        where o.id = v_order_id;
        v_expired := v_expired + 1;
        v_until := least(v_until, clock_timestamp() + interval '100 milliseconds');
      exception
        when others then
          if v_wait = '50ms' then
            raise warning 'order % cannot expire: % %', v_order_id, sqlstate, sqlerrm;
          end if;
      end;
    end loop;

    exit when v_expired > 0;
  end loop;

  return v_expired;
end
$$;
