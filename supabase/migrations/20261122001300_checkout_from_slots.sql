-- A checkout takes stock from slots where there are any (20261122001200_stock_slots.sql), and may be told
-- to come back when too many others are buying the same product.
--
-- The look reads what slots have sold with the stock, in the same statement, so what it calls short is short.
-- It also says whether each product with slots has a slot with enough: then no gate need be locked.
--
-- A hot product cannot take every connection: with private.settings.checkouts_per_product at most so many
-- checkouts of one product run at a time. The next one is told at once to come again (UPSTREAM_UNAVAILABLE,
-- 503 with Retry-After), and the function does not try by itself: under a storm that would be another storm.
-- A refusal for want of stock is not held up. Each running checkout holds a ticket for each of its products: an
-- advisory lock of two numbers, tried and never waited for, that ends with the transaction.
--
-- Tests: supabase/tests/12-checkout.sql, 21-stock-slots.sql, tests/slot_races.rs

set local lock_timeout = '5s';

alter table private.settings
  add column checkouts_per_product int
    constraint settings_checkouts_per_product_positive check (checkouts_per_product > 0);

comment on column private.settings.checkouts_per_product is
  'How many checkouts of one product may run at a time; null means no limit. A third of the connections that the API has is a good number.';

-- Purpose: let in a checkout of these products unless as many as may run at a time are running.
-- Callers: private.checkout.
-- Locks: advisory, one of the tickets of each product, until the transaction ends; never waiting.
-- Errors: UPSTREAM_UNAVAILABLE if one of the products has no ticket left; nothing has happened.
-- Tests: supabase/tests/21-stock-slots.sql, tests/slot_races.rs
create function private.limit_checkouts(p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_limit constant int := (select s.checkouts_per_product from private.settings s);
begin
  if v_limit is not null and exists (
    select
    from unnest(p_product_ids) as u (product_id)
    where not exists (
      select
      from generate_series(1, v_limit) as t (ticket)
      where pg_try_advisory_xact_lock(hashtext('checkout of ' || u.product_id), t.ticket)
    )
  ) then
    perform private.raise_error('UPSTREAM_UNAVAILABLE');
  end if;
end
$$;

comment on function private.limit_checkouts(uuid[]) is
  'Lets a checkout in unless as many of one of its products as may run at a time are running.';

revoke all on function private.limit_checkouts(uuid[]) from public, anon, authenticated, service_role;

-- Purpose: the whole of public.checkout.
-- Callers: authenticated and service_role, through public.checkout.
-- Locks: promo attempts of the customer (with a promo code); idempotency key; wallet
--   (payment by wallet); promo (with a code); stock rows by id; slots of stock; codes of digital products.
--   Each wait lasts two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES,
--   INSUFFICIENT_INVENTORY, INSUFFICIENT_FUNDS, CURRENCY_MISMATCH, IDEMPOTENCY_KEY_REUSED,
--   those of private.redeem_promo; UPSTREAM_UNAVAILABLE if a product is bought by as many as the shop lets in
--   at a time; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: nobody has the right to write orders, stock or wallets. Nothing here
--   trusts an argument for who is calling; that is auth.uid().
-- Tests: supabase/tests/12-checkout.sql
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
  v_slotted uuid[];
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
    ) filter (where c.available_quantity < c.quantity),
    -- From slots only if each product that has slots has one with enough.
    case
      when bool_and(c.in_a_slot) then array_agg(c.product_id) filter (where c.in_a_slot)
    end
  into
    v_product_ids, v_quantities, v_unit_prices, v_names, v_kinds, v_currencies,
    v_subtotal, v_missing, v_shortages, v_slotted
  from (
    select
      l.product_id, l.quantity, p.price, p.name, p.kind, p.currency, p.active, p.available_quantity,
      p.in_one_slot >= l.quantity as in_a_slot
    from (
      select (i.item ->> 'product_id')::uuid as product_id, sum((i.item ->> 'quantity')::numeric)::int as quantity
      from jsonb_array_elements(p_cart_items) as i (item)
      group by 1
    ) l
    -- `limit 1` asks for one look-up by id for each line, whatever the planner thinks of
    -- the number of lines: without it a small cart may read the whole catalogue.
    left join lateral (
      select
        q.price, q.name, q.kind, q.currency, q.active,
        (q.available_quantity - coalesce(s.used, 0))::int as available_quantity,
        case when q.stock_slots > 0 then coalesce(s.in_one_slot, 0) end as in_one_slot
      from public.products q
      left join lateral (
        select sum(c.used) as used, max(c.granted - c.used) as in_one_slot
        from private.counter_slots c
        where c.owner_id = q.id
          and q.stock_slots > 0
      ) s on true
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

  perform private.limit_checkouts(v_product_ids);

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
    v_product_ids, v_quantities, 'checkout', v_order_id, v_unit_prices, v_currencies[1], v_slotted
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
