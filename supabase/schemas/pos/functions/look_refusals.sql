-- Why what a look without a lock has seen cannot be sold: codes, the first one first. p_currency is the register's, null where there is none; a
-- discount beyond p_limit per cent and, with p_short, what is not there are refused as well.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, interlock.park_sale, interlock.price_returns; then interlock.refuse_look.
-- Locks: none.
create function interlock.look_refusals(p_look interlock.sale_look, p_currency text, p_limit numeric, p_short boolean)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array_remove(array[
    case when p_currency is null then 'REGISTER_NOT_FOUND' end,
    case when p_look.no_barcodes is not null then 'BARCODE_NOT_FOUND' end,
    case when p_look.no_inventory is not null then 'INVENTORY_NOT_FOUND' end,
    case when p_look.no_products is not null then 'PRODUCT_NOT_FOUND' end,
    case when p_look.elsewhere is not null then 'STOCK_ELSEWHERE' end,
    case when p_look.problems is not null then 'VALIDATION_FAILED' end,
    case when p_look.currencies <> array[p_currency] then 'MIXED_CURRENCIES' end,
    case when p_look.discount_percent > p_limit then 'DISCOUNT_NOT_ALLOWED' end,
    case when p_short and p_look.shortages is not null and p_currency is not null then 'INSUFFICIENT_INVENTORY' end
  ], null);
end
$$;
