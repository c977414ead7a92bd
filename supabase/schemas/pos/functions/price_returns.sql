-- What goods that come back without a receipt are worth: their present price, with the tax on it. They are named as those that are
-- sold (interlock.look_at_sale), and whether there are any does not matter.
--
-- Callers: interlock.take_returns.
-- Locks: none.
-- Errors: BARCODE_NOT_FOUND, INVENTORY_NOT_FOUND, PRODUCT_NOT_FOUND, STOCK_ELSEWHERE, VALIDATION_FAILED, MIXED_CURRENCIES.
create function interlock.price_returns(p_returns jsonb, p_sale_id uuid, p_register interlock.registers)
returns interlock.sale_returns[]
language plpgsql
set search_path = ''
as $$
declare
  v_look constant interlock.sale_look := interlock.look_at_sale(p_returns, p_register.location_id, false);
  v_refusals constant text[] := interlock.look_refusals(v_look, p_register.currency, null, false);
  v_returns interlock.sale_returns[];
begin
  if v_refusals <> '{}' then
    perform interlock.refuse_look(v_refusals[1], v_look, p_register.id, p_register, '/returns');
  end if;

  select array_agg(jsonb_populate_record(null::interlock.sale_returns, jsonb_build_object(
    'sale_id', p_sale_id,
    'n', u.n - 1,
    'product_id', u.product_id,
    'name', u.name,
    'quantity', u.quantity,
    'unit_price', u.unit_price,
    'tax', u.tax,
    'amount', u.subtotal + case when u.inclusive then 0 else u.tax end,
    'restock', coalesce(e.restock, true),
    'reason', e.reason
  )))
  into v_returns
  from interlock.charge_order(null, false, null, p_register.currency, v_look.product_ids, v_look.subtotals) c
  cross join unnest(
    v_look.product_ids, v_look.names, v_look.quantities, v_look.unit_prices, v_look.subtotals, c.o_taxes, c.o_inclusive
  ) with ordinality as u (product_id, name, quantity, unit_price, subtotal, tax, inclusive, n)
  join rows from (jsonb_to_recordset(p_returns) as (restock boolean, reason text))
    with ordinality as e (restock, reason, n) on e.n = u.n;
  return v_returns;
end
$$;
