-- Take back holds whose time is over; answers how many. Uses come back without it too, when somebody needs them; this
-- keeps the counters of codes without a limit true. As interlock.expire_orders it takes each in a sub-transaction of its
-- own, first those that can be had at once, the oldest first, and only if there are none those that must be waited for;
-- it does not last long, and what is left is the next call's: call it until it answers 0.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.expire_promo_holds.
-- Locks: for each hold the customer's row of promo_user_uses, never waiting (whoever is locking it sees to it), then as
--   interlock.end_promo_uses. What was taken back stays locked until the transaction ends, against the order of locks, so
--   the next wait must be too short for anybody to be hurt by it: 50 milliseconds, as a rule one.
-- Errors: none of a hold's own.
-- Security definer: the service role writes none of these tables.
create function interlock.expire_promo_holds(p_limit int default 1000)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 1000), 0);
  v_wait text;
  v_until timestamptz;
  v_hold record;
  v_ended int;
  v_expired int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  foreach v_wait in array array['1ms', '50ms'] loop
    perform set_config('lock_timeout', v_wait, true);
    v_until := clock_timestamp() + interval '1 second';

    for v_hold in
      select r.id, r.promo_id, r.user_id
      from interlock.promo_redemptions r
      where r.status = 'held'
        and r.held_until <= interlock.clock()
      order by case when v_wait = '1ms' then r.held_until end, random()
    loop
      exit when v_expired >= v_limit or clock_timestamp() > v_until;

      begin
        perform 1
        from interlock.promo_user_uses u
        where u.promo_id = v_hold.promo_id
          and u.user_id = v_hold.user_id
        for no key update skip locked;
        continue when not found;

        v_ended := interlock.end_promo_uses(array[v_hold.id], 'held', 'expired');
        continue when v_ended = 0;
        v_expired := v_expired + v_ended;
        v_until := least(v_until, clock_timestamp() + interval '100 milliseconds');
      exception
        when others then
          if v_wait = '50ms' then
            raise warning 'hold % of a promo code cannot expire: % %', v_hold.id, sqlstate, sqlerrm;
          end if;
      end;
    end loop;

    exit when v_expired > 0;
  end loop;

  return v_expired;
end
$$;
