-- Put what came of a transfer on the shelf of its destination. Lines that name a product twice are added up.
--
-- Callers: interlock.change_transfer, with lines that interlock.find_inventory_problems has seen.
-- Locks: the transfer; then as interlock.lock_inventory.
-- Errors: STOCK_TRANSFER_NOT_FOUND, TRANSFER_ENDED, TRANSFER_EXCEEDED, PRODUCT_NOT_FOUND, STOCK_LIMIT_EXCEEDED; 55P03 after
--   lock_timeout.
create function interlock.receive_transfer(p_transfer_id uuid, p_lines jsonb, p_reason text)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_transfer constant interlock.stock_transfers := interlock.lock_transfer(p_transfer_id);
  v_came jsonb;
  v_stock jsonb;
begin
  perform interlock.refuse_cancelled(v_transfer);
  perform interlock.book_transfer(
    p_transfer_id, array_agg(w.product_id order by w.n), array_agg(w.quantity order by w.n), 'received', null
  )
  from (
    select (l.line ->> 'product_id')::uuid as product_id, sum((l.line ->> 'quantity')::numeric) as quantity, min(l.n) as n
    from jsonb_array_elements(p_lines) with ordinality as l (line, n)
    group by 1
  ) w;

  v_came := interlock.transfer_ends(p_lines, v_transfer.to_location_id);
  v_stock := interlock.lock_inventory(v_came);
  perform interlock.move_quantities(v_came, coalesce(p_reason, 'transfer_in'), p_transfer_id);
  return interlock.moved_inventory(v_stock);
end
$$;
