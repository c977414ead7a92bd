-- What there is of a product in a picking session.
--
-- Callers: interlock.pick_item.
create function interlock.item_state(p_item interlock.picking_session_items)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'session_id', (p_item).picking_session_id,
    'product_id', (p_item).product_id,
    'quantity_needed', (p_item).quantity_needed,
    'quantity_picked', (p_item).quantity_picked,
    'quantity_packed', (p_item).quantity_packed,
    'quantity_short', (p_item).quantity_short,
    'available', (p_item).quantity_picked - (p_item).quantity_packed,
    'version', (p_item).version
  );
end
$$;
