-- Write down what was done in a picking session, but for what interlock.pack_units and interlock.give_up_units do with a line.
--
-- Callers: interlock.pick_item, interlock.complete_box, interlock.close_sent_box; with what they have changed locked.
-- Locks: none.
create function interlock.note_scan(
  p_session_id uuid, p_order_id uuid, p_product_id uuid, p_action text, p_quantity int
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into interlock.packing_scans (picking_session_id, order_id, product_id, action, quantity, actor)
  values (p_session_id, p_order_id, p_product_id, p_action, p_quantity, auth.uid());
end
$$;
