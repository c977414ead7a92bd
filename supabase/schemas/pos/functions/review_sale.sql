-- What somebody should look at in a sale of a till that was cut off, because the database would have said something else: the price
-- of a line, a product that is not for sale any more, a discount beyond a cashier's limit, the total. Nothing of it is refused: it
-- has happened.
--
-- Callers: interlock.make_sale.
-- Locks: none.
create function interlock.review_sale(p_look interlock.sale_look, p_limit numeric, p_expected_total bigint, p_total bigint)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('line', r.line, 'reason', r.reason) order by r.line, r.reason), '[]')
    from (
      select l.n - 1 as line, w.reason
      from unnest(p_look.product_ids, p_look.unit_prices, p_look.subtotals, p_look.discounts)
        with ordinality as l (product_id, unit_price, subtotal, discount, n)
      join interlock.products p on p.id = l.product_id
      cross join lateral (
        values
          ('price', p.price <> l.unit_price),
          ('inactive', not p.active),
          ('discount', 100 * l.discount > p_limit * greatest(l.subtotal, 1))
      ) as w (reason, holds)
      where w.holds
      union all
      select null, 'total'
      where p_expected_total <> p_total
    ) r
  );
end
$$;
