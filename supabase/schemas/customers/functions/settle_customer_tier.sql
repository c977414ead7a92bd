-- Put one customer into the tier that they have reached by now: out of one for which they have no longer earned enough within
-- settings.tier_window, or into another where the shop has changed its tiers.
--
-- Callers: the job settle-tiers.
-- Locks: as interlock.lock_points. Two seconds at most.
create function interlock.settle_customer_tier(p_customer_id uuid)
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

  perform interlock.settle_tier((interlock.lock_points(p_customer_id)).customer_id);
  return 1;
end
$$;
