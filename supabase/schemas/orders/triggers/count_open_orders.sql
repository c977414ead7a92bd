-- Trigger: keep the open orders of customers counted, whoever changes an order and whatever it becomes.
--
-- Callers: trigger orders_count_open, once for each statement; its name has it come before orders_settle.
-- Locks: the orders are locked by the statement; then rows of interlock.customer_open_orders by user. None for orders
--   that do not count, and none for those of a deleted account.
-- Errors: 55P03 after lock_timeout.
-- Security definer: whoever may change an order need not have rights on the counters.
create function interlock.count_open_orders()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_customer record;
begin
  for v_customer in
    select c.user_id, sum(u.orders) as orders, sum(u.units) as units
    from (
      select n.id, 1 as orders, n.counted_units as units
      from new_rows n
      where n.counted_units is not null and interlock.is_open_order(n.status)
      union all
      select o.id, -1, -o.counted_units
      from old_rows o
      where o.counted_units is not null and interlock.is_open_order(o.status)
    ) u
    join interlock.orders c on c.id = u.id
    where c.user_id is not null
    group by c.user_id
    having sum(u.orders) <> 0 or sum(u.units) <> 0
    order by c.user_id
  loop
    insert into interlock.customer_open_orders (user_id) values (v_customer.user_id) on conflict do nothing;

    update interlock.customer_open_orders c
    set orders = c.orders + v_customer.orders,
        units = c.units + v_customer.units
    where c.user_id = v_customer.user_id;
  end loop;

  return null;
end
$$;
