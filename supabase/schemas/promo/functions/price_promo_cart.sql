-- The lines of a cart, checked, duplicates summed and priced from the database: [{"product_id", "quantity",
-- "unit_price"}] by product, and their currency.
--
-- Callers: interlock.validate_promo.
-- Errors: VALIDATION_FAILED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES.
create function interlock.price_promo_cart(p_cart_items jsonb, out o_lines jsonb, out o_currency text)
returns record
language plpgsql
stable
set search_path = ''
as $$
declare
  v_unknown jsonb;
  v_currencies jsonb;
begin
  perform interlock.refuse_problems(interlock.find_checkout_problems(p_cart_items, null, null, null));

  select
    jsonb_agg(
      jsonb_build_object('product_id', l.product_id, 'quantity', l.quantity, 'unit_price', p.price)
      order by l.product_id
    ),
    jsonb_agg(l.product_id order by l.product_id) filter (where p.id is null),
    jsonb_agg(distinct p.currency) filter (where p.id is not null),
    min(p.currency)
  into o_lines, v_unknown, v_currencies, o_currency
  from (
    select (i.item ->> 'product_id')::uuid as product_id, sum((i.item ->> 'quantity')::numeric)::int as quantity
    from jsonb_array_elements(p_cart_items) as i (item)
    group by 1
  ) l
  left join interlock.products p on p.id = l.product_id and p.active;

  if v_unknown is not null then
    perform interlock.raise_error('PRODUCT_NOT_FOUND', jsonb_build_object('product_ids', v_unknown));
  end if;

  if jsonb_array_length(v_currencies) > 1 then
    perform interlock.raise_error('MIXED_CURRENCIES', jsonb_build_object('currencies', v_currencies));
  end if;
end
$$;
