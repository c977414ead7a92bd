-- Apply a promo code to a cart, as it is now: the discount, or why there is none. p_lines are priced lines
-- [{"product_id", "quantity", "unit_price"}]; without them p_subtotal is the cart, and a code with a product
-- scope cannot be judged. A null currency (known only to be that of the shop) matches every code. o_amounts are
-- the matching amounts, line by line (0 where the scope excludes it).
--
-- Callers: interlock.redeem_promo, interlock.validate_promo.
-- Errors: none raised; o_refusal and o_detail are the error to raise: PROMO_NOT_APPLICABLE, PROMO_NOT_STARTED,
--   PROMO_EXPIRED.
create function interlock.evaluate_promo(
  p_promo interlock.promo_codes,
  p_user_id uuid,
  p_order_id uuid,
  p_currency text,
  p_lines jsonb,
  p_subtotal bigint,
  out o_refusal text,
  out o_detail jsonb,
  out o_subtotal bigint,
  out o_discount bigint,
  out o_amounts bigint[]
)
returns record
language plpgsql
stable
set search_path = ''
as $$
declare
  v_scoped constant boolean :=
    exists (select 1 from interlock.promo_code_products s where s.promo_id = p_promo.id);
  v_ends_at constant timestamptz := interlock.promo_end(p_promo.expires_at, p_promo.last_day, p_promo.time_zone);
  v_matching bigint;
  v_matches boolean;
begin
  if p_lines is null then
    o_subtotal := p_subtotal;
    o_amounts := array[p_subtotal];
    v_matching := p_subtotal;
    v_matches := true;
  else
    select
      coalesce(sum(l.quantity * l.unit_price), 0),
      coalesce(sum(l.quantity * l.unit_price) filter (where m.matches), 0),
      coalesce(bool_or(m.matches), false),
      coalesce(array_agg(case when m.matches then l.quantity * l.unit_price else 0 end order by l.n), '{}')
    into o_subtotal, v_matching, v_matches, o_amounts
    from rows from (
      jsonb_to_recordset(p_lines) as (product_id uuid, quantity bigint, unit_price bigint)
    ) with ordinality as l (product_id, quantity, unit_price, n)
    cross join lateral (
      select not v_scoped or exists (
        select 1
        from interlock.promo_code_products s
        where s.promo_id = p_promo.id
          and s.product_id = l.product_id
      ) as matches
    ) m;
  end if;

  o_refusal := 'PROMO_NOT_APPLICABLE';

  if not p_promo.active then
    o_detail := jsonb_build_object('reason', 'inactive');
  elsif v_ends_at <= interlock.clock() then
    o_refusal := 'PROMO_EXPIRED';
    o_detail := jsonb_build_object('expires_at', v_ends_at);
  elsif p_promo.starts_at > interlock.clock() then
    o_refusal := 'PROMO_NOT_STARTED';
    o_detail := jsonb_build_object('starts_at', p_promo.starts_at);
  elsif p_promo.currency <> p_currency then
    o_detail := jsonb_build_object('reason', 'currency', 'currency', p_promo.currency);
  elsif v_scoped and p_lines is null then
    o_detail := jsonb_build_object('reason', 'cart_items_needed');
  elsif not v_matches then
    o_detail := jsonb_build_object('reason', 'products');
  elsif o_subtotal < p_promo.min_subtotal then
    o_detail := jsonb_build_object(
      'reason', 'min_subtotal',
      'min_subtotal', p_promo.min_subtotal,
      'subtotal', o_subtotal,
      'missing', p_promo.min_subtotal - o_subtotal,
      'currency', p_promo.currency
    );
  elsif p_promo.first_order_only and interlock.has_other_order(p_user_id, p_order_id) then
    o_detail := jsonb_build_object('reason', 'first_order_only');
  else
    o_discount := interlock.promo_discount(
      p_promo.discount_type, p_promo.discount_value, p_promo.max_discount, v_matching
    );
    -- A use is too good for nothing.
    if o_discount > 0 then
      o_refusal := null;
    else
      o_detail := jsonb_build_object('reason', 'no_discount');
    end if;
  end if;
end
$$;
