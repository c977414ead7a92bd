-- What is charged beside the goods: shipping, and tax for each line. p_amounts are what the lines cost, less their
-- discounts. docs/prices.md has the arithmetic.
--
-- Callers: interlock.checkout, if the shop has tax rates or the order is sent; interlock.quote_order.
-- Locks: none: what is looked at here is what is charged.
-- Errors: SHIPPING_METHOD_NOT_AVAILABLE (unknown, inactive, of another currency; none, with p_required).
create function interlock.charge_order(
  p_shipping_method text,
  p_required boolean,
  p_country text,
  p_currency text,
  p_product_ids uuid[],
  p_amounts bigint[],
  out o_shipping bigint,
  out o_shipping_tax bigint,
  out o_tax bigint,
  out o_tax_included bigint,
  out o_taxes bigint[],
  out o_percents numeric[],
  out o_inclusive boolean[]
)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_method interlock.shipping_methods;
begin
  if p_shipping_method is not null or p_required then
    select m.*
    into v_method
    from interlock.shipping_methods m
    where m.code = p_shipping_method
      and m.active
      and m.currency = p_currency;
    if not found then
      perform interlock.raise_error('SHIPPING_METHOD_NOT_AVAILABLE', jsonb_build_object(
        'shipping_method', p_shipping_method,
        'available', (
          select coalesce(jsonb_agg(m.code order by m.code), '[]')
          from interlock.shipping_methods m
          where m.active
            and m.currency = p_currency
        )
      ));
    end if;
  end if;

  -- The last line is the shipping, which is no product.
  select
    sum(t.amount) filter (where t.is_shipping),
    coalesce(sum(t.tax) filter (where t.is_shipping), 0),
    coalesce(sum(t.tax), 0),
    coalesce(sum(t.tax) filter (where t.inclusive), 0),
    array_agg(coalesce(t.tax, 0) order by t.n) filter (where not t.is_shipping),
    array_agg(t.percent order by t.n) filter (where not t.is_shipping),
    array_agg(t.inclusive order by t.n) filter (where not t.is_shipping)
  into o_shipping, o_shipping_tax, o_tax, o_tax_included, o_taxes, o_percents, o_inclusive
  from (
    select l.n, l.is_shipping, l.amount, r.percent, r.inclusive, interlock.tax_of(l.amount, r.percent, r.inclusive) as tax
    from (
      select g.n, false as is_shipping, g.amount, p.tax_class
      from unnest(p_product_ids, p_amounts) with ordinality as g (product_id, amount, n)
      left join interlock.products p on p.id = g.product_id
      union all
      select
        null,
        true,
        case
          when (select sum(a) from unnest(p_amounts) as a) >= v_method.free_from then 0
          else coalesce(v_method.price, 0)
        end,
        v_method.tax_class
    ) l
    left join lateral (
      select q.percent, q.inclusive
      from interlock.tax_rates q
      where q.tax_class = l.tax_class
        and (
          q.country is null
          or q.country = coalesce(p_country, (select s.tax_country from interlock.settings s))
        )
      order by q.country nulls last
      limit 1
    ) r on true
  ) t;
end
$$;
