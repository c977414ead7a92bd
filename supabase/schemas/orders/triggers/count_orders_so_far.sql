-- Trigger: where customers get a limit that had none, the orders that are open by now count from here on.
--
-- An order whose checkout is under way at this moment was placed without a limit and never counts.
--
-- Callers: trigger settings_count_orders.
-- Locks: open orders by id, waiting; then as interlock.count_open_orders.
-- Security definer: whoever may change the settings has no right to write orders.
create function interlock.count_orders_so_far()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  with open_orders as materialized (
    select o.id
    from interlock.orders o
    where o.counted_units is null
      and o.user_id is not null
      and interlock.is_open_order(o.status)
    order by o.id
    for no key update
  )
  update interlock.orders o
  set counted_units = (select sum(r.quantity) from interlock.order_rest(o.id) r)
  from open_orders p
  where o.id = p.id;

  return null;
end
$$;
