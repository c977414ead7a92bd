-- Write into the ledger of a product what it lacks of the stock that is there: what is on the shelf is the truth.
--
-- Callers: interlock.resolve_finding.
-- Locks: the product and its slots, waiting: under these ids are given out.
-- Errors: 55P03 after lock_timeout.
create function interlock.correct_ledger(p_product_id uuid, p_reason text, p_reference text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.lock_stock(array[p_product_id]);
  perform interlock.lock_slots(p_product_id);

  insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference, actor)
  select
    d.product_id, d.found - d.expected,
    case when coalesce(p.stock_slots, 0) = 0 then d.found end,
    p_reason, p_reference, auth.uid()
  from interlock.find_ledger_differences(array[p_product_id]) d
  left join interlock.products p on p.id = d.product_id
  -- Less than nothing is on no shelf.
  where d.found >= -coalesce(p.backordered, 0);
end
$$;
