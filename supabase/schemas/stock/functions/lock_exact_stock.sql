-- Lock a product and call in its slots. Returns its stock, exactly.
--
-- Callers: interlock.adjust_stock, interlock.count_stock.
-- Locks: the product, then its slots in order, waiting.
-- Errors: PRODUCT_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_exact_stock(p_product_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.products p where p.id = p_product_id for no key update;
  if not found then
    perform interlock.raise_products_not_found(array[p_product_id]);
  end if;
  return interlock.settle_stock(p_product_id);
end
$$;
