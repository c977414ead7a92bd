-- public.checkout: cart to order in one transaction, all or nothing.
--
-- Lock order (docs/locks.md), the same for every function of ours:
--
--   promo attempts of the customer → idempotency key → order → wallet → promo
--     → stock rows by id → codes of these rows
--
-- The order is new, so nobody waits for it. Order, lines, history, wallet and (without
-- digital products) the stored answer are written before the first stock row is locked:
-- the hottest rows come last and are held for one statement and the commit.
--
-- A look without a lock comes first. What it sees is committed: if the stock is too low
-- there, no order of events could have sold it, and the refusal makes nobody wait. The
-- stock may have gone to a twin of this very request, so before it refuses the function
-- asks for the twin's answer. Everything the look has seen and the order was priced with
-- is compared again under the lock.
--
-- Set-based: one statement for each step, whatever the number of lines.
--
-- Payment: `wallet` is debited here and the order is paid; `bank_transfer` waits in
-- pending_payment until private.settings.payment_window is over; `cash_on_delivery` is
-- confirmed and paid at the door. With nothing to pay the order is paid at once. Codes of
-- digital products belong to the order from here on, but the buyer sees them only once
-- the order is paid.
--
-- Tests: supabase/tests/02-roles.sql, 12-checkout.sql, 13-product-codes.sql

set local lock_timeout = '5s';

alter table private.settings
  add column payment_window interval not null default '24 hours'
    constraint settings_payment_window_sane
      check (payment_window between interval '1 minute' and interval '90 days');

comment on column private.settings.payment_window is
  'How long an order by bank transfer waits for its payment (1 minute to 90 days).';

-- Purpose: an order as its buyer sees it, with its lines and, once paid, its codes.
-- Callers: private.checkout and the functions of an order's life.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/12-checkout.sql
create function private.order_to_json(p_order_id uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_order public.orders;
  v_items jsonb;
  v_codes jsonb;
begin
  select o.* into v_order from public.orders o where o.id = p_order_id;

  select jsonb_agg(
    jsonb_build_object(
      'product_id', i.product_id,
      'name', i.name,
      'quantity', i.quantity,
      'unit_price', i.unit_price,
      'total', i.quantity * i.unit_price
    )
    order by i.product_id
  )
  into v_items
  from public.order_items i
  where i.order_id = p_order_id;

  if v_order.status in ('paid', 'fulfilled') then
    select jsonb_agg(jsonb_build_object('product_id', c.product_id, 'code', c.code) order by c.product_id, c.id)
    into v_codes
    from public.product_codes c
    where c.order_id = p_order_id
      and c.used_at is not null;
  end if;

  return jsonb_build_object(
    'id', v_order.id,
    'status', v_order.status,
    'currency', v_order.currency,
    'subtotal', v_order.subtotal,
    'discount', v_order.discount,
    'total', v_order.total,
    'payment_method', v_order.payment_method,
    'cart_id', v_order.cart_id,
    'created_at', v_order.created_at,
    'payment_expires_at', v_order.payment_expires_at,
    'paid_at', v_order.paid_at,
    'fulfilled_at', v_order.fulfilled_at,
    'cancelled_at', v_order.cancelled_at,
    'refunded_at', v_order.refunded_at,
    'items', v_items
  ) || case when v_codes is null then '{}' else jsonb_build_object('codes', v_codes) end;
end
$$;

comment on function private.order_to_json(uuid) is
  'An order as its buyer sees it: amounts, lines and, once paid, product codes.';

revoke all on function private.order_to_json(uuid) from public, anon, authenticated, service_role;

-- Purpose: refuse a request of wrong shape, with all its problems.
-- Callers: private.checkout. Locks: none.
-- Errors: VALIDATION_FAILED.
-- Tests: supabase/tests/12-checkout.sql
create function private.check_checkout_arguments(
  p_cart_items jsonb,
  p_promo_code text,
  p_payment_method text,
  p_idempotency_key text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';
  v_problems jsonb := '[]'::jsonb;
begin
  if jsonb_typeof(p_cart_items) is distinct from 'array' then
    v_problems := jsonb_build_array(
      jsonb_build_object('pointer', '/cart_items', 'message', 'must be an array of 1 to 100 lines')
    );
  elsif jsonb_array_length(p_cart_items) not between 1 and 100 then
    v_problems := jsonb_build_array(
      jsonb_build_object('pointer', '/cart_items', 'message', 'must have 1 to 100 lines')
    );
  else
    select coalesce(
      jsonb_agg(
        jsonb_build_object('pointer', format('/cart_items/%s%s', c.n - 1, p.pointer), 'message', p.message)
        order by c.n, p.pointer
      ),
      '[]'
    )
    into v_problems
    from (
      select
        i.n,
        i.item,
        jsonb_typeof(i.item) = 'object' as is_object,
        coalesce(
          jsonb_typeof(i.item -> 'product_id') = 'string' and i.item ->> 'product_id' ~ v_uuid,
          false
        ) as product_id_valid,
        case
          when jsonb_typeof(i.item -> 'quantity') = 'number' then
            (i.item ->> 'quantity')::numeric between 1 and 10000
            and (i.item ->> 'quantity')::numeric = trunc((i.item ->> 'quantity')::numeric)
          else false
        end as quantity_valid,
        case when jsonb_typeof(i.item) = 'object' then i.item - 'product_id' - 'quantity' end as others
      from jsonb_array_elements(p_cart_items) with ordinality as i (item, n)
    ) c
    cross join lateral (
      select '' as pointer, 'must be an object with product_id and quantity' as message
      where not c.is_object
      union all
      select '/product_id', 'must be a UUID'
      where c.is_object and not c.product_id_valid
      union all
      select '/quantity', 'must be an integer from 1 to 10000'
      where c.is_object and not c.quantity_valid
      union all
      select '/' || replace(replace(left(k.name, 100), '~', '~0'), '/', '~1'), 'is not a known field'
      from jsonb_object_keys(c.others) as k (name)
    ) p
    where not (c.is_object and c.product_id_valid and c.quantity_valid and c.others = '{}');
  end if;

  if char_length(btrim(p_promo_code)) not between 1 and 64 then
    v_problems := v_problems
      || jsonb_build_object('pointer', '/promo_code', 'message', 'must be 1 to 64 characters');
  end if;

  if p_payment_method not in ('wallet', 'bank_transfer', 'cash_on_delivery') then
    v_problems := v_problems || jsonb_build_object(
      'pointer', '/payment_method', 'message', 'must be wallet, bank_transfer or cash_on_delivery'
    );
  end if;

  if p_idempotency_key !~ '^[\x20-\x7e]{1,255}$' then
    v_problems := v_problems || jsonb_build_object(
      'pointer', '/headers/idempotency-key', 'message', 'must be 1 to 255 printable ASCII characters'
    );
  end if;

  if v_problems <> '[]' then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', v_problems));
  end if;
end
$$;

comment on function private.check_checkout_arguments(jsonb, text, text, text) is
  'Refuses a checkout of wrong shape, with all its problems.';

revoke all on function private.check_checkout_arguments(jsonb, text, text, text)
  from public, anon, authenticated, service_role;

-- Purpose: pay from the wallet that private.lock_wallet has locked.
-- Callers: private.checkout.
-- Locks: the wallet's row, held already.
-- Errors: INSUFFICIENT_FUNDS (no wallet counts as an empty one), CURRENCY_MISMATCH.
-- Tests: supabase/tests/12-checkout.sql
create function private.debit_wallet(p_wallet public.wallets, p_amount bigint, p_currency text, p_order_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_amount = 0 then
    return;
  end if;

  if p_wallet.currency <> p_currency then
    perform private.raise_error(
      'CURRENCY_MISMATCH',
      jsonb_build_object('currency', p_currency, 'wallet_currency', p_wallet.currency)
    );
  end if;

  if coalesce(p_wallet.balance, 0) < p_amount then
    perform private.raise_error(
      'INSUFFICIENT_FUNDS',
      jsonb_build_object('balance', coalesce(p_wallet.balance, 0), 'amount', p_amount, 'currency', p_currency)
    );
  end if;

  perform private.set_ledger_context('checkout', p_order_id);

  update public.wallets w
  set balance = w.balance - p_amount
  where w.user_id = p_wallet.user_id;

  perform private.set_ledger_context(null, null);
end
$$;

comment on function private.debit_wallet(public.wallets, bigint, text, uuid) is
  'Pays an order from a locked wallet, or refuses with balance and amount.';

revoke all on function private.debit_wallet(public.wallets, bigint, text, uuid)
  from public, anon, authenticated, service_role;

-- Purpose: the whole of public.checkout.
-- Callers: authenticated and service_role, through public.checkout.
-- Locks: promo attempts of the customer (with a promo code); idempotency key; wallet
--   (payment by wallet); promo (with a code); stock rows by id; codes of digital products.
--   Each wait lasts two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES,
--   INSUFFICIENT_INVENTORY, INSUFFICIENT_FUNDS, CURRENCY_MISMATCH, IDEMPOTENCY_KEY_REUSED,
--   those of private.redeem_promo; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: nobody has the right to write orders, stock or wallets. Nothing here
--   trusts an argument for who is calling; that is auth.uid().
-- Tests: supabase/tests/12-checkout.sql
create function private.checkout(
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

comment on function private.checkout(jsonb, text, uuid, text, text) is
  'The whole of public.checkout, with its owner''s rights.';

revoke all on function private.checkout(jsonb, text, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function private.checkout(jsonb, text, uuid, text, text) to authenticated, service_role;

-- Purpose: the RPC. Buys the cart for the calling user, or says why not and changes nothing.
-- Callers: authenticated; service_role acting with a user's claims.
-- Locks and errors: as private.checkout.
-- Tests: supabase/tests/02-roles.sql, 12-checkout.sql
create function public.checkout(
  p_cart_items jsonb,
  p_promo_code text default null,
  p_cart_id uuid default null,
  p_payment_method text default 'cash_on_delivery',
  p_idempotency_key text default null
)
returns json
language sql
security invoker
set search_path = ''
as $$
  select private.checkout(p_cart_items, p_promo_code, p_cart_id, p_payment_method, p_idempotency_key)
$$;

comment on function public.checkout(jsonb, text, uuid, text, text) is
  'Buys a cart [{"product_id", "quantity"}] for the calling user: order, payment, stock, codes and promo use together, or nothing.';

revoke all on function public.checkout(jsonb, text, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function public.checkout(jsonb, text, uuid, text, text) to authenticated, service_role;
