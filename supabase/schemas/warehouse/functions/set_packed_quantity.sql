-- What public.set_packed_quantity does, with its owner's rights: set the number of packed units of a line, if it is still the one that the caller
-- has read; for screens on which a number is typed. The limits are those of packing. A conflict is answered with the line as
-- it is, and counted (interlock.packing_conflicts), so that the caller can try again on that.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.set_packed_quantity.
-- Locks: as interlock.pack_units, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, PACKING_LINE_NOT_FOUND, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK; PACKING_CONFLICT is
--   answered, not raised; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.set_packed_quantity(p_progress_id uuid, p_expected int, p_new int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_line interlock.packing_progress;
  v_answer jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  if p_expected is null or p_expected not between 0 and interlock.most_units() then
    v_problems := v_problems || interlock.problem('/p_expected', format('must be 0 to %s', interlock.most_units()));
  end if;
  if p_new is null or p_new not between 0 and interlock.most_units() then
    v_problems := v_problems || interlock.problem('/p_new', format('must be 0 to %s', interlock.most_units()));
  end if;
  perform interlock.refuse_problems(v_problems);
  v_line := interlock.find_packing_line(p_progress_id);
  if p_new <> p_expected then
    begin
      perform interlock.pack_units(
        v_line.picking_session_id, v_line.order_id, v_line.product_id, p_new - p_expected, p_expected
      );
      -- A statement of its own, which sees what was written.
      return interlock.packing_answer(v_line.picking_session_id, v_line.order_id, v_line.product_id);
    exception
      when sqlstate 'IL004' then
        -- Nothing of the attempt is left, so what is answered are the numbers as they are.
        null;
    end;
  else
    -- Nothing is packed, so nothing is written; the number that decides is the one that is answered.
    v_answer := interlock.packing_answer(v_line.picking_session_id, v_line.order_id, v_line.product_id);
    if (v_answer ->> 'quantity_packed')::int = p_expected then
      return v_answer;
    end if;
  end if;
  insert into interlock.packing_conflicts (picking_session_id, product_id)
  values (v_line.picking_session_id, v_line.product_id);
  perform set_config('response.status', '409', true);
  return interlock.error_body(
    'PACKING_CONFLICT',
    interlock.packing_answer(v_line.picking_session_id, v_line.order_id, v_line.product_id) - 'success'
  );
end
$$;
