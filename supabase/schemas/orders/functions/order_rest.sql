-- What is left of the lines of an order: units that were not refunded, and those of them that have not been sent. An
-- order that was handed over has sent all.
--
-- Callers: interlock.take_off_order, interlock.ship_order_lines, interlock.has_to_ship, interlock.move_goods,
--   interlock.retake_order, interlock.settle_orders, interlock.count_orders_so_far, interlock.create_picking_session,
--   interlock.complete_box; they hold the order's row, under which alone this changes.
-- Locks: none.
create function interlock.order_rest(p_order_id uuid)
returns table (product_id uuid, kind text, untracked boolean, quantity int, on_shelf int)
language plpgsql
stable
rows 5
set search_path = ''
as $$
begin
  return query
    select
      i.product_id,
      i.kind::text,
      i.untracked,
      (i.quantity - coalesce(r.quantity, 0))::int,
      case
        when o.fulfillment in ('shipped', 'delivered') then 0
        else i.quantity - coalesce(r.from_shelf, 0) - coalesce(s.quantity, 0)
      end::int
    from interlock.orders o
    join interlock.order_items i on i.order_id = o.id
    left join lateral (
      select sum(f.quantity) as quantity, sum(f.from_shelf) as from_shelf
      from interlock.order_refund_items f
      where f.order_id = i.order_id
        and f.product_id = i.product_id
    ) r on true
    left join lateral (
      select sum(f.quantity) as quantity
      from interlock.order_shipment_items f
      where f.order_id = i.order_id
        and f.product_id = i.product_id
    ) s on true
    where o.id = p_order_id;
end
$$;
