-- A picking session as its workers see it: its orders with their lines, and its products with what is in the basket.
--
-- Callers: the functions of the warehouse.
-- Locks: none.
create function interlock.session_to_json(p_session_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'id', s.id,
      'code', s.code,
      'location_id', s.location_id,
      'status', s.status,
      'open_orders', s.open_orders,
      'completed_orders', s.completed_orders,
      'created_at', s.created_at,
      'packing_started_at', s.packing_started_at,
      'ended_at', s.ended_at,
      'items', (
        select coalesce(jsonb_agg(
          jsonb_build_object(
            'product_id', i.product_id,
            'name', n.name,
            'quantity_needed', i.quantity_needed,
            'quantity_picked', i.quantity_picked,
            'quantity_packed', i.quantity_packed,
            'quantity_short', i.quantity_short,
            'available', i.quantity_picked - i.quantity_packed,
            'basket', i.basket,
            'picker_id', i.picker_id,
            'picker_until', i.picker_until,
            'version', i.version
          )
          order by i.product_id
        ), '[]')
        from interlock.picking_session_items i
        left join (
          select p.product_id, min(o.name) as name
          from interlock.packing_progress p
          join interlock.order_items o on o.order_id = p.order_id and o.product_id = p.product_id
          where p.picking_session_id = s.id
          group by p.product_id
        ) n on n.product_id = i.product_id
        where i.picking_session_id = s.id
      ),
      'orders', (
        select coalesce(jsonb_agg(
          jsonb_build_object(
            'order_id', b.order_id,
            'number', o.number,
            'position', b.position,
            'status', b.status,
            'shipment_id', b.shipment_id,
            'lines', (
              select coalesce(jsonb_agg(
                jsonb_build_object(
                  'progress_id', p.id,
                  'product_id', p.product_id,
                  'quantity_needed', p.quantity_needed,
                  'quantity_packed', p.quantity_packed,
                  'quantity_short', p.quantity_short,
                  'version', p.version
                )
                order by p.product_id
              ), '[]')
              from interlock.packing_progress p
              where p.picking_session_id = s.id
                and p.order_id = b.order_id
            )
          )
          order by b.position
        ), '[]')
        from interlock.picking_session_orders b
        join interlock.orders o on o.id = b.order_id
        where b.picking_session_id = s.id
      )
    )
    from interlock.picking_sessions s
    where s.id = p_session_id
  );
end
$$;
