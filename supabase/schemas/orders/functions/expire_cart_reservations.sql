-- End reservations whose time is over, each in a sub-transaction of its own, and forget customers who may reserve anew in any
-- case; answers how many. What cannot be ended at once (somebody is using it, or its product, or there is no room for its
-- units) is left for the next call, which takes them in another order.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.expire_cart_reservations.
-- Locks: due reservations one after the other, those that nobody else is locking (skip locked); for each then as
--   interlock.end_reservation. They stay locked until the transaction ends, against the order of locks, so each wait is a
--   moment: 50 milliseconds for the first, one from then on.
-- Errors: none of a reservation's own.
-- Security definer: nobody has the right to write reservations or stock.
create function interlock.expire_cart_reservations(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 100), 0);
  v_until timestamptz := clock_timestamp() + interval '1 second';
  v_user_id uuid;
  v_ended int := 0;
  v_forgotten int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_user_id in
    select r.user_id
    from interlock.cart_reservations r
    where r.expires_at <= interlock.clock()
    order by random()
  loop
    exit when v_ended >= v_limit or clock_timestamp() > v_until;

    begin
      -- The lock compares again: one that was refreshed or redeemed meanwhile drops out.
      perform 1
      from interlock.cart_reservations r
      where r.user_id = v_user_id
        and r.expires_at <= interlock.clock()
      for no key update skip locked;
      continue when not found;

      perform interlock.end_reservation(v_user_id, 'cart_expired');
      v_ended := v_ended + 1;
      v_until := least(v_until, clock_timestamp() + interval '100 milliseconds');
      perform set_config('lock_timeout', '1ms', true);
    exception
      when others then
        raise warning 'reservation of user % cannot expire: % %', v_user_id, sqlstate, sqlerrm;
    end;
  end loop;

  delete from interlock.cart_reservations
  where ctid = any (array(
    select r.ctid
    from interlock.cart_reservations r
    cross join interlock.settings s
    where r.expires_at is null
      and r.reserved_since + 2 * s.cart_reservation_limit <= interlock.clock()
    limit v_limit - v_ended
    for update of r skip locked
  ));
  get diagnostics v_forgotten = row_count;
  return v_ended + v_forgotten;
end
$$;
