-- Write down what was done with a line, with the numbers as they are and the line's version, so that whoever is told of it late or
-- twice is not misled.
--
-- Callers: interlock.pack_units, interlock.give_up_units.
-- Locks: none.
create function interlock.note_packing(p_line interlock.packing_progress, p_action text, p_quantity int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into interlock.packing_scans (
    picking_session_id, order_id, product_id, action, quantity, actor, quantity_packed, quantity_needed, quantity_short, version
  )
  values (
    p_line.picking_session_id, p_line.order_id, p_line.product_id, p_action, p_quantity, auth.uid(),
    p_line.quantity_packed, p_line.quantity_needed, p_line.quantity_short, p_line.version
  );
end
$$;
