-- What the books of picking sessions do not agree on; always empty. A basket against the lines of its orders, a line against its
-- box, a session against its orders.
create view interlock.packing_differences
with (security_invoker = true)
as
  select
    i.picking_session_id, null::uuid as order_id, i.product_id, 'packed of a basket' as what,
    i.quantity_packed as counted, coalesce(l.packed, 0) as found
  from interlock.picking_session_items i
  left join lateral (
    select sum(p.quantity_packed) as packed
    from interlock.packing_progress p
    where p.picking_session_id = i.picking_session_id
      and p.product_id = i.product_id
  ) l on true
  where i.quantity_packed <> coalesce(l.packed, 0)
  union all
  select i.picking_session_id, null, i.product_id, 'needed of a product', i.quantity_needed, coalesce(l.needed, 0)
  from interlock.picking_session_items i
  left join lateral (
    select sum(p.quantity_needed) as needed
    from interlock.packing_progress p
    join interlock.picking_session_orders o using (picking_session_id, order_id)
    where p.picking_session_id = i.picking_session_id
      and p.product_id = i.product_id
      and o.status in ('open', 'completed')
  ) l on true
  where i.quantity_needed <> coalesce(l.needed, 0)
  union all
  select s.id, null, null, 'open orders', s.open_orders, o.orders
  from interlock.picking_sessions s
  cross join lateral (
    select count(*) as orders
    from interlock.picking_session_orders b
    where b.picking_session_id = s.id
      and b.status = 'open'
  ) o
  where s.open_orders <> o.orders
  union all
  select p.picking_session_id, p.order_id, p.product_id, 'open box', p.box_open::int, (b.status = 'open')::int
  from interlock.packing_progress p
  join interlock.picking_session_orders b using (picking_session_id, order_id)
  where p.box_open <> (b.status = 'open');

comment on view interlock.packing_differences is
  'What the books of picking sessions do not agree on; always empty.';

grant select on table interlock.packing_differences to service_role;
