-- Count one more open order of a customer, within the limits. A limit that is null is none. One statement, because most
-- checkouts make it: the account is locked by what it selects, then the row.
--
-- Callers: interlock.checkout or interlock.checkout_line, once, before the wallet; the order gets p_units as its counted_units, or is given back.
--   interlock.reserve_cart, whose reservation counts as units of no order (p_orders 0, and no limit of orders).
-- Locks: the customer's account, their row of interlock.customer_open_orders, waiting.
-- Errors: UNAUTHENTICATED (there is no such account), TOO_MANY_OPEN_ORDERS with what is open and the limits; 55P03 after
--   lock_timeout.
create function interlock.take_open_order(p_user_id uuid, p_units int, p_max_orders int, p_max_units int, p_orders int default 1)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.customer_open_orders as c (user_id, orders, units)
  select u.id, p_orders, p_units
  from interlock.accounts u
  where u.id = p_user_id
    and p_units <= coalesce(p_max_units, p_units)
  for key share
  on conflict on constraint customer_open_orders_pkey do update
    set orders = c.orders + p_orders,
        units = c.units + excluded.units
    where c.orders < coalesce(p_max_orders, c.orders + 1)
      and c.units + excluded.units <= coalesce(p_max_units, c.units + excluded.units);

  if not found then
    perform interlock.require_user();
    perform interlock.raise_error('TOO_MANY_OPEN_ORDERS', (
      select jsonb_build_object(
        'open_orders', coalesce(max(c.orders), 0),
        'max_open_orders', p_max_orders,
        'open_units', coalesce(max(c.units), 0),
        'units', p_units,
        'max_open_units', p_max_units
      )
      from interlock.customer_open_orders c
      where c.user_id = p_user_id
    ));
  end if;
end
$$;
