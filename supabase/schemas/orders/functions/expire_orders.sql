-- End orders that were not paid, or that the shop has not gone on with, in time, or whose proof of payment nobody decided in time, the oldest first; answers how
-- many.
--
-- Callers: pg_cron; service_role, also through public.expire_orders.
-- Locks: due orders that nobody else is locking (skip locked); then as interlock.settle_orders.
-- Errors: 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.expire_orders(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_expired int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  -- The lock compares again on the newest version of the row: an order that was paid or
  -- got a proof meanwhile (and with it a later deadline) drops out.
  with due as materialized (
    select o.id
    from interlock.orders o
    where o.status in ('pending_payment', 'confirmed')
      and o.payment_expires_at <= interlock.clock()
    order by o.payment_expires_at
    limit greatest(coalesce(p_limit, 100), 0)
    for no key update skip locked
  )
  update interlock.orders o
  set status = 'expired'
  from due d
  where o.id = d.id;

  get diagnostics v_expired = row_count;
  return v_expired;
end
$$;
