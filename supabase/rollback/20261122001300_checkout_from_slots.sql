-- Undoes 20261122001300_checkout_from_slots.sql.
-- Newest first: run it in one transaction, then `supabase migration repair --status reverted 20261122001300`.

set local lock_timeout = '5s';

create or replace function private.checkout(
  p_cart_items jsonb,
  p_promo_code text,
  p_cart_id uuid,
  p_payment_method text,
  p_idempotency_key text
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
-- Statements over arrays are otherwise planned again at each call.
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_payment_method constant text := coalesce(p_payment_method, 'cash_on_delivery');
  v_order_id constant uuid := gen_random_uuid();
  v_now constant timestamptz := private.clock();
  v_request jsonb;
  v_product_ids uuid[];
  v_quantities int[];
  v_unit_prices bigint[];
  v_names text[];
  v_kinds text[];
  v_currencies text[];
  v_subtotal bigint;
  v_missing uuid[];
  v_shortages jsonb;
  v_refusal text;
  v_detail jsonb;
  v_wallet public.wallets;
  v_promo_id uuid;
  v_discount bigint := 0;
  v_status text;
  v_digital boolean;
  v_answer text;
begin
  if v_user_id is null then
    perform private.raise_error('UNAUTHENTICATED');
  end if;
  perform private.check_checkout_arguments(p_cart_items, p_promo_code, v_payment_method, p_idempotency_key);

  v_request := jsonb_build_object(
    'cart_items', p_cart_items,
    'promo_code', p_promo_code,
    'cart_id', p_cart_id,
    'payment_method', v_payment_method
  );

  -- The look.
  select
    array_agg(c.product_id),
    array_agg(c.quantity),
    array_agg(c.price),
    array_agg(c.name),
    array_agg(c.kind),
    array_agg(distinct c.currency::text),
    sum(c.quantity * c.price),
    array_agg(c.product_id) filter (where c.active is not true),
    jsonb_agg(
      jsonb_build_object(
        'product_id', c.product_id,
        'requested', c.quantity,
        'available', c.available_quantity
      )
      order by c.product_id
    ) filter (where c.available_quantity < c.quantity)
  into
    v_product_ids, v_quantities, v_unit_prices, v_names, v_kinds, v_currencies,
    v_subtotal, v_missing, v_shortages
  from (
    select l.product_id, l.quantity, p.price, p.name, p.kind, p.currency, p.active, p.available_quantity
    from (
      select (i.item ->> 'product_id')::uuid as product_id, sum((i.item ->> 'quantity')::numeric)::int as quantity
      from jsonb_array_elements(p_cart_items) as i (item)
      group by 1
    ) l
    -- `limit 1` asks for one look-up by id for each line, whatever the planner thinks of
    -- the number of lines: without it a small cart may read the whole catalogue.
    left join lateral (
      select q.price, q.name, q.kind, q.currency, q.active, q.available_quantity
      from public.products q
      where q.id = l.product_id
      limit 1
    ) p on true
    order by l.product_id
  ) c;

  if v_missing is not null then
    v_refusal := 'PRODUCT_NOT_FOUND';
    v_detail := jsonb_build_object('product_ids', v_missing);
  elsif cardinality(v_currencies) > 1 then
    v_refusal := 'MIXED_CURRENCIES';
    v_detail := jsonb_build_object('currencies', v_currencies);
  elsif v_shortages is not null then
    v_refusal := 'INSUFFICIENT_INVENTORY';
    v_detail := jsonb_build_object('shortages', v_shortages);
  end if;

  if v_refusal is not null then
    v_answer := private.find_idempotent('checkout', p_idempotency_key, v_request);
    if v_answer is not null then
      return v_answer::json;
    end if;
    perform private.raise_error(v_refusal, v_detail);
  end if;

  -- A guess at a promo code must count though nothing else of the request happens, so an
  -- unknown code is answered and not raised: see 20251118000500_promo_attempts.sql.
  if p_promo_code is not null then
    v_answer := coalesce(
      private.find_idempotent('checkout', p_idempotency_key, v_request),
      private.refuse_unknown_promo(v_user_id, p_promo_code)::text
    );
    if v_answer is not null then
      return v_answer::json;
    end if;
  end if;

  -- The key, before anything else but the customer's promo attempts is locked.
  v_answer := private.begin_idempotent('checkout', p_idempotency_key, v_request);
  if v_answer is not null then
    return v_answer::json;
  end if;

  -- The price, and the money.
  if v_payment_method = 'wallet' then
    v_wallet := private.lock_wallet(v_user_id);
  end if;

  if p_promo_code is not null then
    v_discount := private.redeem_promo(
      v_user_id,
      p_promo_code,
      p_cart_id,
      v_order_id,
      v_currencies[1],
      (
        select jsonb_agg(jsonb_build_object(
          'product_id', l.product_id, 'quantity', l.quantity, 'unit_price', l.unit_price
        ))
        from unnest(v_product_ids, v_quantities, v_unit_prices) as l (product_id, quantity, unit_price)
      )
    );
    select r.promo_id
    into v_promo_id
    from public.promo_redemptions r
    where r.order_id = v_order_id
      and r.status = 'redeemed';
  end if;

  if v_payment_method = 'wallet' then
    perform private.debit_wallet(v_wallet, v_subtotal - v_discount, v_currencies[1], v_order_id);
  end if;

  -- The order.
  v_status := case
    when v_payment_method = 'wallet' or v_subtotal = v_discount then 'paid'
    when v_payment_method = 'bank_transfer' then 'pending_payment'
    else 'confirmed'
  end;

  insert into public.orders (
    id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id, cart_id, payment_expires_at, created_at, paid_at
  )
  values (
    v_order_id, v_user_id, v_status, v_currencies[1], v_subtotal, v_discount, v_subtotal - v_discount,
    v_payment_method, v_promo_id, p_cart_id,
    case when v_status = 'pending_payment' then v_now + (select s.payment_window from private.settings s) end,
    v_now,
    case when v_status = 'paid' then v_now end
  );

  insert into public.order_items (order_id, product_id, quantity, unit_price, name, kind)
  select v_order_id, l.product_id, l.quantity, l.unit_price, l.name, l.kind
  from unnest(v_product_ids, v_quantities, v_unit_prices, v_names, v_kinds)
    as l (product_id, quantity, unit_price, name, kind);

  -- The answer comes before the stock if it does not need the codes.
  v_digital := 'digital' = any (v_kinds);
  if not v_digital then
    v_answer := jsonb_build_object('success', true, 'order', private.order_to_json(v_order_id))::text;
    perform private.finish_idempotent('checkout', p_idempotency_key, v_answer);
  end if;

  perform private.take_stock(
    v_product_ids, v_quantities, 'checkout', v_order_id, v_unit_prices, v_currencies[1]
  );

  if v_digital then
    perform private.take_product_codes(d.product_ids, d.quantities, v_order_id, 'checkout', v_status = 'paid')
    from (
      select array_agg(l.product_id) as product_ids, array_agg(l.quantity) as quantities
      from unnest(v_product_ids, v_quantities, v_kinds) as l (product_id, quantity, kind)
      where l.kind = 'digital'
    ) d;
    v_answer := jsonb_build_object('success', true, 'order', private.order_to_json(v_order_id))::text;
    perform private.finish_idempotent('checkout', p_idempotency_key, v_answer);
  end if;

  return v_answer::json;
end
$$;

drop function private.limit_checkouts(uuid[]);

alter table private.settings drop column checkouts_per_product;
