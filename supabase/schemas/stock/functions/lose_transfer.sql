-- Book that some of what is in transit will never arrive, with a reason. No stock changes: it was taken when it was sent.
--
-- Callers: interlock.change_transfer, with lines that interlock.find_inventory_problems has seen.
-- Locks: the transfer.
-- Errors: STOCK_TRANSFER_NOT_FOUND, TRANSFER_ENDED, TRANSFER_EXCEEDED; 55P03 after lock_timeout.
create function interlock.lose_transfer(p_transfer_id uuid, p_lines jsonb, p_reason text)
returns json
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.refuse_cancelled(interlock.lock_transfer(p_transfer_id));
  perform interlock.book_transfer(
    p_transfer_id, array_agg(w.product_id order by w.n), array_agg(w.quantity order by w.n), 'lost', coalesce(p_reason, 'lost')
  )
  from (
    select (l.line ->> 'product_id')::uuid as product_id, sum((l.line ->> 'quantity')::numeric) as quantity, min(l.n) as n
    from jsonb_array_elements(p_lines) with ordinality as l (line, n)
    group by 1
  ) w;
  return json '[]';
end
$$;
