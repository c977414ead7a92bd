-- Say why a line cannot be changed by so much, as things are now: whoever was waited for has ended.
--
-- Callers: interlock.pack_units.
-- Errors: ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK, NOTHING_PACKED.
create function interlock.refuse_pack(p_session_id uuid, p_order_id uuid, p_product_id uuid, p_change int)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_line interlock.packing_progress;
  v_item interlock.picking_session_items;
begin
  select p.*
  into v_line
  from interlock.packing_progress p
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and p.product_id = p_product_id;
  select i.*
  into v_item
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id
    and i.product_id = p_product_id;
  perform interlock.raise_error(
    case
      when p_change < 0 then 'NOTHING_PACKED'
      when v_line.quantity_packed + p_change > v_line.quantity_needed then 'ALREADY_FULLY_PACKED'
      else 'NO_UNITS_TO_PACK'
    end,
    jsonb_build_object(
      'session_id', p_session_id,
      'order_id', p_order_id,
      'product_id', p_product_id,
      'quantity_packed', v_line.quantity_packed,
      'quantity_needed', v_line.quantity_needed,
      'quantity_picked', v_item.quantity_picked,
      'available', v_item.quantity_picked - v_item.quantity_packed
    )
  );
end
$$;
