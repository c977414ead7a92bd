-- Customers of these whose counter of open orders (interlock.customer_open_orders) is not what their open orders and their
-- reservation come to. Units are told, or orders where these are the only difference.
--
-- Callers: interlock.find_differences, interlock.correct_open_orders.
-- Locks: none.
create function interlock.find_open_order_differences(p_user_ids uuid[])
returns table (user_id uuid, expected numeric, found numeric, cause text, orders int, units int)
language sql
stable
set search_path = ''
as $$
  select
    d.id,
    case when d.units <> d.counted_units then d.units else d.orders end,
    case when d.units <> d.counted_units then d.counted_units else d.counted_orders end,
    format(
      '%s open orders and %s units are counted, and there are %s of %s units: orders were changed past the functions.',
      d.counted_orders, d.counted_units, d.orders, d.units
    ),
    d.orders,
    d.units
  from (
    select
      a.id,
      o.orders::int as orders,
      (o.units + coalesce((
        select r.counted_units from interlock.cart_reservations r where r.user_id = a.id
      ), 0))::int as units,
      coalesce(c.orders, 0) as counted_orders,
      coalesce(c.units, 0) as counted_units
    from (select distinct u.id from unnest(p_user_ids) as u (id) where u.id is not null) a
    left join interlock.customer_open_orders c on c.user_id = a.id
    cross join lateral (
      select count(*) as orders, coalesce(sum(q.counted_units), 0) as units
      from interlock.orders q
      where q.user_id = a.id
        and q.counted_units is not null
        and q.status in ('pending_payment', 'confirmed')
    ) o
  ) d
  where (d.orders, d.units) <> (d.counted_orders, d.counted_units)
$$;
