-- What public.update_packing_progress_atomic does, with its owner's rights: one unit of a product into the box of an order, as the incident report calls it.
-- p_store_id, if it is given, is the session's location.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.update_packing_progress_atomic.
-- Locks: as interlock.pack_units, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, PACKING_LINE_NOT_FOUND, ALREADY_FULLY_PACKED,
--   NO_UNITS_TO_PACK; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.update_packing_progress_atomic(
  p_session_id uuid, p_order_id uuid, p_product_id uuid, p_store_id uuid
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_line interlock.packing_progress;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if num_nulls(p_session_id, p_order_id, p_product_id) > 0 then
    select v_problems || jsonb_agg(jsonb_build_object('pointer', '/' || u.name, 'message', 'is required') order by u.name)
    into v_problems
    from (values ('p_session_id', p_session_id), ('p_order_id', p_order_id), ('p_product_id', p_product_id)) as u (name, id)
    where u.id is null;
    perform interlock.require_packer();
    perform interlock.refuse_problems(v_problems);
  end if;
  if p_store_id is not null and (interlock.find_session(p_session_id)).location_id <> p_store_id then
    perform interlock.raise_error('SESSION_NOT_FOUND', jsonb_build_object('session_id', p_session_id));
  end if;
  v_line := interlock.pack_units(p_session_id, p_order_id, p_product_id, 1);
  return jsonb_build_object(
    'success', true,
    'progress_id', v_line.id,
    'order_id', p_order_id,
    'product_id', p_product_id,
    'quantity_packed', v_line.quantity_packed,
    'quantity_needed', v_line.quantity_needed,
    'is_item_complete', v_line.quantity_packed + v_line.quantity_short >= v_line.quantity_needed,
    'version', v_line.version
  );
end
$$;
