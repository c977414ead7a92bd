-- Refuse what a look without a lock has seen to be impossible, with what is known about it. p_pointer is where in the request it stands.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, interlock.price_returns, which say why.
-- Locks: none.
-- Errors: REGISTER_NOT_FOUND, BARCODE_NOT_FOUND, INVENTORY_NOT_FOUND, PRODUCT_NOT_FOUND, STOCK_ELSEWHERE, VALIDATION_FAILED,
--   MIXED_CURRENCIES, DISCOUNT_NOT_ALLOWED, INSUFFICIENT_INVENTORY.
create function interlock.refuse_look(
  p_refusal text,
  p_look interlock.sale_look,
  p_register_id uuid,
  p_register interlock.registers,
  p_pointer text,
  p_limit numeric default null
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_refusal = 'VALIDATION_FAILED' then
    perform interlock.refuse_problems((
      select jsonb_agg(
        jsonb_set(b.problem, '{pointer}', to_jsonb(p_pointer || substr(b.problem ->> 'pointer', length('/lines') + 1))) order by b.n
      )
      from jsonb_array_elements(p_look.problems) with ordinality as b (problem, n)
    ));
  end if;
  perform interlock.raise_error(p_refusal, case p_refusal
    when 'REGISTER_NOT_FOUND' then jsonb_build_object('register_id', p_register_id)
    when 'BARCODE_NOT_FOUND' then jsonb_build_object('barcodes', p_look.no_barcodes)
    when 'INVENTORY_NOT_FOUND' then jsonb_build_object('inventory_ids', p_look.no_inventory)
    when 'PRODUCT_NOT_FOUND' then jsonb_build_object('product_ids', p_look.no_products)
    when 'STOCK_ELSEWHERE' then
      jsonb_build_object('inventory_ids', p_look.elsewhere, 'location_id', p_register.location_id)
    when 'MIXED_CURRENCIES' then jsonb_build_object('currencies', (
      select jsonb_agg(distinct c.code)
      from unnest(p_look.currencies || p_register.currency::text) as c (code)
    ))
    when 'DISCOUNT_NOT_ALLOWED' then jsonb_build_object('limit_percent', p_limit)
    when 'INSUFFICIENT_INVENTORY' then jsonb_build_object('shortages', p_look.shortages)
  end);
end
$$;
