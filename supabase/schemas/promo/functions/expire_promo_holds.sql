-- Take back holds whose time is over, the oldest first. Uses come back without it too, when somebody needs
-- them; this keeps the counters of codes without a limit true.
--
-- Callers: pg_cron, every minute where it is present; service_role, also through public.expire_promo_holds.
-- Locks: rows of promo_user_uses, never waiting (whoever is locking one sees to it), then the rows of
--   promo_codes by id, waiting.
-- Errors: 55P03 after lock_timeout. Returns the number of holds taken back.
-- Security definer: the service role writes none of these tables.
create function interlock.expire_promo_holds(p_limit int default 1000)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  return interlock.end_promo_uses(
    array(
      select r.id
      from interlock.promo_redemptions r
      join interlock.promo_user_uses u
        on u.promo_id = r.promo_id and u.user_id = r.user_id
      where r.status = 'held'
        and r.held_until <= interlock.clock()
      order by r.held_until
      limit p_limit
      for no key update of u skip locked
    ),
    'held',
    'expired'
  );
end
$$;
