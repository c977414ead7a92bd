-- What a worker's screen needs after a scan: the line, how far its order and the session are, what is left in the basket.
--
-- Callers: the functions that pack.
-- Locks: none.
create function interlock.packing_answer(p_line interlock.packing_progress)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'success', true,
      'progress_id', (p_line).id,
      'session_id', (p_line).picking_session_id,
      'order_id', (p_line).order_id,
      'product_id', (p_line).product_id,
      'quantity_packed', (p_line).quantity_packed,
      'quantity_needed', (p_line).quantity_needed,
      'quantity_short', (p_line).quantity_short,
      'is_item_complete', (p_line).quantity_packed + (p_line).quantity_short >= (p_line).quantity_needed,
      'version', (p_line).version,
      'order', (
        select jsonb_build_object(
          'units_packed', sum(l.quantity_packed),
          'units_needed', sum(l.quantity_needed),
          'units_short', sum(l.quantity_short),
          'is_order_complete', sum(l.quantity_packed + l.quantity_short) >= sum(l.quantity_needed)
        )
        from interlock.packing_progress l
        where l.picking_session_id = (p_line).picking_session_id
          and l.order_id = (p_line).order_id
      ),
      'basket', b.basket,
      'session', b.session
    )
    from (
      select
        jsonb_agg(jsonb_build_object(
          'quantity_picked', i.quantity_picked,
          'quantity_packed', i.quantity_packed,
          'available', i.quantity_picked - i.quantity_packed,
          'version', i.version
        )) filter (where i.product_id = (p_line).product_id) -> 0 as basket,
        jsonb_build_object(
          'units_packed', sum(i.quantity_packed), 'units_picked', sum(i.quantity_picked), 'units_needed', sum(i.quantity_needed)
        ) as session
      from interlock.picking_session_items i
      where i.picking_session_id = (p_line).picking_session_id
    ) b
  );
end
$$;
