-- Bring what is in transit of a transfer back to where it came from.
--
-- Callers: interlock.change_transfer.
-- Locks: the transfer; then as interlock.lock_inventory.
-- Errors: STOCK_TRANSFER_NOT_FOUND, TRANSFER_ENDED, STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.cancel_transfer(p_transfer_id uuid, p_reason text)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_transfer constant interlock.stock_transfers := interlock.lock_transfer(p_transfer_id);
  v_left jsonb;
  v_back jsonb;
  v_stock jsonb;
begin
  if v_transfer.ended_at is not null then
    perform interlock.raise_error('TRANSFER_ENDED', jsonb_build_object(
      'transfer_id', p_transfer_id, 'ended_at', v_transfer.ended_at, 'cancelled', v_transfer.cancelled
    ));
  end if;

  select jsonb_agg(jsonb_build_object('product_id', l.product_id, 'quantity', l.in_transit) order by l.product_id)
  into v_left
  from interlock.stock_transfer_lines l
  where l.transfer_id = p_transfer_id
    and l.in_transit > 0;
  perform interlock.book_transfer(p_transfer_id, array_agg(l.product_id), array_agg(l.quantity), 'returned', null)
  from jsonb_to_recordset(v_left) as l (product_id uuid, quantity numeric);

  v_back := interlock.transfer_ends(v_left, v_transfer.from_location_id);
  v_stock := interlock.lock_inventory(v_back);
  perform interlock.move_quantities(v_back, coalesce(p_reason, 'transfer_returned'), p_transfer_id);
  return interlock.moved_inventory(v_stock);
end
$$;
