-- What the lines of a sale come to: taxes as in the web shop (interlock.charge_order), on what is left of each after what is taken off.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Locks: none.
create function interlock.charge_sale(
  p_look interlock.sale_look,
  p_promo_discounts bigint[],
  p_currency text,
  out o_tax bigint,
  out o_tax_included bigint,
  out o_taxes bigint[],
  out o_percents numeric[],
  out o_inclusive boolean[],
  out o_subtotal bigint,
  out o_discount bigint,
  out o_total bigint
)
language plpgsql
stable
set search_path = ''
as $$
begin
  select c.o_tax, c.o_tax_included, c.o_taxes, c.o_percents, c.o_inclusive
  into o_tax, o_tax_included, o_taxes, o_percents, o_inclusive
  from interlock.charge_order(
    null, false, null, p_currency, p_look.product_ids,
    array(
      select u.subtotal - u.discount - coalesce(u.promo, 0)
      from unnest(p_look.subtotals, p_look.discounts, p_promo_discounts) with ordinality as u (subtotal, discount, promo, n)
      order by u.n
    )
  ) c;
  select coalesce(sum(u.subtotal), 0), coalesce(sum(u.discount + coalesce(u.promo, 0)), 0)
  into o_subtotal, o_discount
  from unnest(p_look.subtotals, p_look.discounts, p_promo_discounts) as u (subtotal, discount, promo);
  o_total := o_subtotal - o_discount + o_tax - o_tax_included;
end
$$;
