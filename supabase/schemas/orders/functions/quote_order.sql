-- What public.quote_order does, with its owner's rights: what a checkout would charge for a cart, by the same arithmetic
-- and the same prices. Nothing is held and nothing promised: checkout is told the total as p_expected_total.
--
-- Callers: authenticated and service_role, through public.quote_order.
-- Locks: as interlock.validate_promo for a dry run, with a promo code.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES, SHIPPING_METHOD_NOT_AVAILABLE, those of
--   interlock.validate_promo; 55P03 is transient.
-- Security definer: promo codes are secrets. Nothing here trusts an argument for who is calling.
create function interlock.quote_order(
  p_cart_items jsonb,
  p_promo_code text,
  p_shipping_method text,
  p_shipping_address jsonb,
  p_cart_id uuid
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_problems jsonb;
  v_cart record;
  v_promo jsonb;
  v_product_ids uuid[];
  v_amounts bigint[];
  v_discounts bigint[];
  v_goods bigint;
  v_charges record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if auth.uid() is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  v_problems := interlock.find_detail_problems('/p_', p_shipping_address, null, null);
  if not interlock.is_line(p_shipping_method, 40) then
    v_problems := v_problems || interlock.problem(
      '/p_shipping_method', 'must be 1 to 40 characters, without control characters'
    );
  end if;
  perform interlock.refuse_problems(v_problems);
  v_cart := interlock.price_promo_cart(p_cart_items);

  if p_promo_code is not null then
    v_promo := interlock.validate_promo(p_promo_code, p_cart_items, null, p_cart_id, true, 'apply', null);
    -- An unknown code is answered and not raised.
    if not v_promo ? 'discount' then
      return v_promo;
    end if;
  end if;

  select
    array_agg((l.line ->> 'product_id')::uuid order by l.n),
    array_agg((l.line ->> 'quantity')::bigint * (l.line ->> 'unit_price')::bigint order by l.n),
    array_agg(coalesce((v_promo #>> array['lines', (l.n - 1)::text, 'discount'])::bigint, 0) order by l.n)
  into v_product_ids, v_amounts, v_discounts
  from jsonb_array_elements(v_cart.o_lines) with ordinality as l (line, n);

  v_charges := interlock.charge_order(
    p_shipping_method, false, p_shipping_address ->> 'country', v_cart.o_currency, v_product_ids,
    array(select a.amount - a.discount from unnest(v_amounts, v_discounts) with ordinality as a (amount, discount, n) order by a.n)
  );
  v_goods := (select sum(a.amount - a.discount) from unnest(v_amounts, v_discounts) as a (amount, discount));

  return jsonb_build_object(
    'success', true,
    'currency', v_cart.o_currency,
    'subtotal', (select sum(a) from unnest(v_amounts) as a),
    'discount', (select sum(d) from unnest(v_discounts) as d),
    'shipping_method', p_shipping_method,
    'shipping', v_charges.o_shipping,
    'shipping_tax', v_charges.o_shipping_tax,
    'tax', v_charges.o_tax,
    'tax_included', v_charges.o_tax_included,
    'total', v_goods + v_charges.o_shipping + v_charges.o_tax - v_charges.o_tax_included,
    'lines', (
      select jsonb_agg(
        l.line || jsonb_build_object(
          'discount', c.discount,
          'tax', c.tax,
          'tax_percent', c.percent,
          'tax_inclusive', c.inclusive,
          'total', c.amount
        )
        order by n
      )
      from jsonb_array_elements(v_cart.o_lines) with ordinality as l (line, n)
      join unnest(v_amounts, v_discounts, v_charges.o_taxes, v_charges.o_percents, v_charges.o_inclusive)
        with ordinality as c (amount, discount, tax, percent, inclusive, n) using (n)
    ),
    'shipping_methods', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'code', m.code,
            'name', m.name,
            'shipping', case when v_goods >= m.free_from then 0 else m.price end,
            'free_from', m.free_from
          )
          order by m.price, m.code
        ),
        '[]'
      )
      from interlock.shipping_methods m
      where m.active
        and m.currency = v_cart.o_currency
    )
  );
end
$$;
