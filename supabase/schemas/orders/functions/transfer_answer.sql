-- The answer to whoever has moved what a guest had.
--
-- Callers: interlock.move_guest, interlock.redeem_order_transfer.
create function interlock.transfer_answer(p_transfer interlock.order_transfers)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'success', true,
    'transfer_id', p_transfer.id,
    'from_user_id', p_transfer.from_user_id,
    'orders', p_transfer.orders,
    'amount', p_transfer.amount,
    'currency', p_transfer.currency,
    'moved_at', p_transfer.moved_at
  );
end
$$;
