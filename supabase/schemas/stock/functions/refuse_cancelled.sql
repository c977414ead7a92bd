-- Refuse a transfer that was cancelled: what was in transit is back where it came from.
--
-- Callers: interlock.receive_transfer, interlock.lose_transfer, with the transfer locked.
-- Errors: TRANSFER_ENDED.
create function interlock.refuse_cancelled(p_transfer interlock.stock_transfers)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_transfer.cancelled then
    perform interlock.raise_error('TRANSFER_ENDED', jsonb_build_object(
      'transfer_id', p_transfer.id, 'ended_at', p_transfer.ended_at, 'cancelled', true
    ));
  end if;
end
$$;
