-- The line of this id, of an order in a session whose location the caller works at.
--
-- Callers: interlock.increment_packing_quantity, interlock.set_packed_quantity, after interlock.require_packer.
-- Locks: none.
-- Errors: VALIDATION_FAILED, PACKING_LINE_NOT_FOUND.
create function interlock.find_packing_line(p_progress_id uuid)
returns interlock.packing_progress
language plpgsql
stable
set search_path = ''
as $$
declare
  v_line interlock.packing_progress;
begin
  if p_progress_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_progress_id', 'is required'));
  end if;
  select p.* into v_line from interlock.packing_progress p where p.id = p_progress_id;
  if v_line.id is null or not interlock.works_at(
    (select s.location_id from interlock.picking_sessions s where s.id = v_line.picking_session_id)
  ) then
    perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object('progress_id', p_progress_id));
  end if;
  return v_line;
end
$$;
