-- Take from the stock what a line of an order holds and the ledger has not taken, or give back what it has taken too much.
--
-- Callers: interlock.resolve_finding.
-- Locks: the account of its buyer and the order; the product's stock row, its slots.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, PRODUCT_NOT_FOUND; 55P03 is transient.
create function interlock.correct_sale(p_order_id uuid, p_product_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_missing int;
begin
  perform interlock.lock_order(p_order_id);
  select d.expected - d.found
  into v_missing
  from interlock.find_sale_differences(array[p_order_id]) d
  where d.product_id = p_product_id;

  if v_missing > 0 then
    perform interlock.take_stock(array[p_product_id], array[v_missing], p_reason, p_order_id);
  elsif v_missing < 0 then
    perform interlock.return_stock(array[p_product_id], array[-v_missing], p_reason, p_order_id);
  end if;
end
$$;
