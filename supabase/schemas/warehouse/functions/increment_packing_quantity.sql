-- What public.increment_packing_quantity does, with its owner's rights: one unit more in a line, as the incident report calls it.
--
-- p_quantity_needed and p_picked_quantity are what the caller has read, perhaps long ago, and decide nothing: the rows do. The answer has
-- the quantity that is needed, a refusal both quantities, as they are.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.increment_packing_quantity.
-- Locks: as interlock.pack_units, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, PACKING_LINE_NOT_FOUND (also for a line of another session or product),
--   SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.increment_packing_quantity(
  p_progress_id uuid, p_quantity_needed int, p_picked_quantity int, p_session_id uuid, p_product_id uuid
)
returns table (
  id uuid,
  picking_session_id uuid,
  order_id uuid,
  product_id uuid,
  quantity_needed int,
  quantity_packed int,
  created_at timestamptz,
  updated_at timestamptz
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  -- Two parameters decide nothing. @plpgsql_check_options: extra_warnings = false
  v_line interlock.packing_progress;
  v_packed record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  v_line := interlock.find_packing_line(p_progress_id);
  if (v_line.picking_session_id, v_line.product_id) <> (p_session_id, p_product_id) then
    perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object(
      'progress_id', p_progress_id, 'session_id', p_session_id, 'product_id', p_product_id
    ));
  end if;
  v_packed := interlock.pack_units(v_line.picking_session_id, v_line.order_id, v_line.product_id, 1);
  return query values (
    v_line.id, v_line.picking_session_id, v_line.order_id, v_line.product_id, v_packed.quantity_needed,
    v_packed.quantity_packed, v_line.created_at, now()
  );
end
$$;
