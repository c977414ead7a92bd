-- Refuse a total that is not the one that the till has shown, with what each line costs.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Errors: PRICE_CHANGED.
create function interlock.refuse_price(
  p_expected_total bigint,
  p_total bigint,
  p_subtotal bigint,
  p_currency text,
  p_look interlock.sale_look
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.raise_error('PRICE_CHANGED', jsonb_build_object(
    'expected_total', p_expected_total, 'total', p_total, 'subtotal', p_subtotal, 'currency', p_currency,
    'lines', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'product_id', u.product_id, 'name', u.name, 'quantity', trim_scale(u.quantity), 'unit_price', u.unit_price,
          'total', u.subtotal - u.discount, 'expected_unit_price', null
        )
        order by u.n
      ), '[]')
      from unnest(
        p_look.product_ids, p_look.names, p_look.quantities, p_look.unit_prices, p_look.subtotals, p_look.discounts
      ) with ordinality as u (product_id, name, quantity, unit_price, subtotal, discount, n)
    )
  ));
end
$$;
