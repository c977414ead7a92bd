-- Redeem a promo code for a sale at a till, by the rules of the web shop: what it takes off each line, after what the cashier took off.
-- A use is that of the customer's account, or of the customer where there is none; a walk-in can use only a code that nobody's
-- uses are counted of.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Locks: as interlock.redeem_promo.
-- Errors: PROMO_NOT_FOUND, PROMO_NOT_APPLICABLE, and as interlock.redeem_promo.
create function interlock.redeem_sale_promo(
  p_code text,
  p_buyer interlock.buyer,
  p_sale_id uuid,
  p_currency text,
  p_look interlock.sale_look
)
returns bigint[]
language plpgsql
set search_path = ''
as $$
declare
  v_person constant uuid := coalesce(p_buyer.user_id, p_buyer.customer_id);
  v_promo constant interlock.promo_codes := interlock.find_promo(p_code, v_person);
begin
  if v_person is null and (v_promo.max_uses_per_user is not null or v_promo.first_order_only) then
    perform interlock.raise_error('PROMO_NOT_APPLICABLE', jsonb_build_object('reason', 'customer_needed'));
  end if;
  if v_promo.first_order_only and exists (
    select
    from interlock.sales s
    join interlock.customers c on c.id = s.customer_id
    where p_buyer.customer_id in (c.id, c.merged_into)
      and s.status = 'completed'
  ) then
    perform interlock.raise_error('PROMO_NOT_APPLICABLE', jsonb_build_object('reason', 'first_order_only'));
  end if;

  return interlock.redeem_promo(v_person, p_code, null, p_sale_id, p_currency, (
    select jsonb_agg(
      jsonb_build_object('product_id', u.product_id, 'quantity', 1, 'unit_price', u.subtotal - u.discount) order by u.n
    )
    from unnest(p_look.product_ids, p_look.subtotals, p_look.discounts) with ordinality as u (product_id, subtotal, discount, n)
  ));
end
$$;
