-- What public.manage_inventory does of transfers: the action, the transfer it is about, and the lines of stock that it has changed.
--
-- Callers: interlock.change_inventory_once.
-- Locks: the transfer, if there is one already; then as interlock.lock_inventory.
-- Errors: those of interlock.transfer_inventory, interlock.receive_transfer, interlock.cancel_transfer, interlock.lose_transfer.
create function interlock.change_transfer(
  p_action text,
  p_lines jsonb,
  p_reason text,
  p_transfer_id uuid,
  p_in_transit boolean
)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_transfer_id uuid := p_transfer_id;
  v_lines json;
begin
  case p_action
    when 'transfer' then
      select t.o_transfer_id, t.o_lines into v_transfer_id, v_lines
      from interlock.transfer_inventory(p_lines, p_in_transit, p_reason) t;
      if p_in_transit is not true then
        return json_build_object('success', true, 'action', p_action, 'lines', v_lines);
      end if;
    when 'receive' then
      v_lines := interlock.receive_transfer(p_transfer_id, p_lines, p_reason);
    when 'cancel' then
      v_lines := interlock.cancel_transfer(p_transfer_id, p_reason);
    else
      v_lines := interlock.lose_transfer(p_transfer_id, p_lines, p_reason);
  end case;

  return json_build_object(
    'success', true, 'action', p_action, 'transfer_id', v_transfer_id, 'lines', v_lines
  );
end
$$;
