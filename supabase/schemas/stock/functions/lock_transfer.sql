-- Lock a transfer of stock: whatever becomes of it is booked under this lock.
--
-- Callers: interlock.receive_transfer, interlock.cancel_transfer, interlock.lose_transfer, interlock.correct_transfer.
-- Locks: the transfer, waiting.
-- Errors: STOCK_TRANSFER_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_transfer(p_transfer_id uuid)
returns interlock.stock_transfers
language plpgsql
set search_path = ''
as $$
declare
  v_transfer interlock.stock_transfers;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select t.* into v_transfer from interlock.stock_transfers t where t.id = p_transfer_id for no key update;
  if not found then
    perform interlock.raise_error('STOCK_TRANSFER_NOT_FOUND', jsonb_build_object('transfer_id', p_transfer_id));
  end if;
  return v_transfer;
end
$$;
