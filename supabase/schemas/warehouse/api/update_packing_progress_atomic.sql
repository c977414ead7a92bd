-- One unit of a product into the box of an order, as the incident report calls it. p_store_id, if it is given, is the session's location.
--
-- Callers: authenticated (packers, managers, staff) and service_role.
-- Locks: as interlock.pack_units, with nothing between, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, PACKING_LINE_NOT_FOUND, ALREADY_FULLY_PACKED,
--   NO_UNITS_TO_PACK; 55P03 is transient.
create function public.update_packing_progress_atomic(
  p_session_id uuid,
  p_order_id uuid,
  p_product_id uuid,
  p_store_id uuid default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
  v_line record;
begin
  v_line := interlock.pack_units(p_session_id, p_order_id, p_product_id, 1, null, p_store_id);
  return jsonb_build_object(
    'success', true,
    'progress_id', v_line.progress_id::uuid,
    'order_id', p_order_id,
    'product_id', p_product_id,
    'quantity_packed', v_line.quantity_packed::int,
    'quantity_needed', v_line.quantity_needed::int,
    'is_item_complete', v_line.quantity_packed + v_line.quantity_short >= v_line.quantity_needed,
    'version', v_line.version::bigint
  );
end
$$;

comment on function public.update_packing_progress_atomic(uuid, uuid, uuid, uuid) is
  'Packs one unit of a product into an order: never more than it needs, never more than was picked. For whoever works in the warehouse, and the service role.';
