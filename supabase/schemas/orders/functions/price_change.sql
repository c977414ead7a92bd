-- What PRICE_CHANGED tells: what was expected and what it is, for the cart and for each line.
--
-- Callers: interlock.checkout. p_total is null while it is not known what a promo code takes off.
create function interlock.price_change(
  p_cart_items jsonb,
  p_expected_total bigint,
  p_items jsonb,
  p_subtotal bigint,
  p_total bigint,
  p_currency text
)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'expected_total', p_expected_total,
    'total', p_total,
    'subtotal', p_subtotal,
    'currency', p_currency,
    'lines', (
      select jsonb_agg(
        l.line - 'discount' - 'tax' || jsonb_build_object(
          'expected_unit_price', (
            -- Of lines of one product with several prices the one that is not its price.
            select i.item -> 'expected_unit_price'
            from jsonb_array_elements(p_cart_items) as i (item)
            where (i.item ->> 'product_id')::uuid = (l.line ->> 'product_id')::uuid
              and i.item ? 'expected_unit_price'
            order by i.item -> 'expected_unit_price' = l.line -> 'unit_price'
            limit 1
          )
        )
        order by l.n
      )
      from jsonb_array_elements(p_items) with ordinality as l (line, n)
    )
  );
end
$$;
