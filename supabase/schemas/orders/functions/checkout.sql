-- What public.checkout does, with its owner's rights: cart to order in one transaction, all or nothing.
--
-- Order, lines, history, wallet and (without digital products) the stored answer are written before the first stock row
-- is locked: the hottest rows come last and are held for one statement and the commit.
--
-- A look without a lock comes first. What it sees is committed: if the stock is too low there, no order of events could
-- have sold it, and the refusal makes nobody wait. The stock may have gone to a twin of this very request, so before it
-- refuses the function asks for the twin's answer. Everything the look has seen and the order was priced with is
-- compared again under the lock. The look also says whether each product with slots has a slot with enough: then no
-- gate need be locked.
--
-- Prices are the database's. A caller may say which ones the buyer has seen, and then no others are charged: the look
-- compares them, with a promo code the total once that is known. A price that changes after the look is noticed where
-- the stock is locked (55P03), and the repeat finds it changed.
--
-- Set-based: one statement for each step, whatever the number of lines. Postgres sets up the plan of every statement again at
-- each call, so each statement, PERFORM and call that is not made counts: the key is inserted with the answer where that is known by
-- then (no promo code, nothing digital), and a single plain line does not come here at all (interlock.checkout_line).
--
-- A product may be sold in another way than from its stock alone (products.stock_policy), or not in any number
-- (max_per_order, max_per_customer). The look says whether the cart has such a one; only then a second look says which and
-- how. Of what is untracked nothing is locked, so its price is compared once more, as that of a product with slots.
--
-- Payment: `wallet` is debited here and the order is paid; `bank_transfer` waits in pending_payment until
-- settings.payment_window is over, `card` until settings.card_payment_window is; `cash_on_delivery` is confirmed and paid
-- at the door. With nothing to pay the order is paid at once. Codes of digital products belong to the order from here on,
-- but the buyer sees them only once it is paid.
--
-- Both: with p_wallet_amount so much is taken from the wallet here, or all of it if the order costs less, and payment_method is
-- how the rest is paid.
--
-- For somebody else: staff and the shop name the buyer with p_on_behalf_of. Order, limits, wallet and promo are the buyer's;
-- the key is the caller's, and so is the name in the history.
--
-- A hot product cannot take every connection: with settings.checkouts_per_product at most so many checkouts of one
-- product run at a time. The next one is told at once to come again (503 with Retry-After), and the function does not
-- try by itself: under a storm that would be another storm. A refusal for want of stock is not held up.
--
-- Callers: authenticated and service_role, through public.checkout, with what is no single plain line.
-- Locks: tickets of its products (with a limit; tried, never waited for); promo attempts of the customer (with a promo
--   code); idempotency key; cart (if it has a name); the buyer's account and reservation (with p_reservation_id); limits of the
--   customer (with a product that has some); the buyer's account; the counter of their open orders (with a limit); wallet
--   (payment by wallet, or a part of it); promo (with a code); stock rows by id; slots of stock; codes of digital products. All waits together
--   last two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN and USER_NOT_FOUND (with p_on_behalf_of), VALIDATION_FAILED, PAYMENT_METHOD_NOT_ALLOWED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES,
--   PRICE_CHANGED, SHIPPING_METHOD_NOT_AVAILABLE, INSUFFICIENT_INVENTORY,
--   PRODUCT_ORDER_LIMIT, PRODUCT_CUSTOMER_LIMIT, STOCK_LIMIT_EXCEEDED, CART_ALREADY_ORDERED, TOO_MANY_OPEN_ORDERS,
--   INSUFFICIENT_FUNDS, CURRENCY_MISMATCH, IDEMPOTENCY_KEY_REUSED, those of interlock.redeem_promo and interlock.refuse_unknown_promo;
--   UPSTREAM_UNAVAILABLE if a product is bought by as many as the shop lets in at a time; 55P03 and 40P01 are transient
--   and nothing has happened.
-- Security definer: nobody has the right to write orders, stock or wallets. Nothing here trusts an argument for who is
--   calling; that is auth.uid(). A buyer is named by staff and the shop alone.
create function interlock.checkout(
  p_cart_items jsonb,
  p_promo_code text,
  p_cart_id uuid,
  p_payment_method text,
  p_idempotency_key text,
  p_expected_total bigint,
  p_shipping_address jsonb,
  p_contact jsonb,
  p_metadata jsonb,
  p_shipping_method text,
  p_on_behalf_of uuid,
  p_reservation_id uuid,
  p_wallet_amount bigint
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
  v_caller_id constant uuid := auth.uid();
  -- The buyer. The key is the caller's, and the history says who called.
  v_user_id constant uuid := coalesce(p_on_behalf_of, v_caller_id);
  v_payment_method constant text := coalesce(p_payment_method, 'cash_on_delivery');
  v_order_id uuid;
  v_details jsonb;
  v_said jsonb;
  v_problems jsonb := jsonb '[]';
  v_request jsonb;
  v_settings interlock.settings;
  v_look interlock.cart_look;
  -- How products are sold that are sold in another way than from their stock alone.
  v_untracked uuid[];
  v_backorder boolean;
  v_limits jsonb;
  v_customer_limit boolean;
  v_owed boolean;
  v_redeemed boolean;
  v_reserved_ids uuid[];
  v_reserved_quantities int[];
  v_charged boolean;
  -- The units that count against a limit.
  v_counted int;
  v_refusal text;
  v_ordered jsonb;
  v_wallet interlock.wallets;
  v_promo_id uuid;
  v_discounts bigint[];
  v_shipping bigint := 0;
  v_shipping_tax bigint := 0;
  v_tax bigint := 0;
  v_tax_included bigint := 0;
  v_taxes bigint[];
  v_tax_percents numeric[];
  v_tax_inclusive boolean[];
  v_order interlock.orders;
  v_digital boolean;
  v_answer text;
  v_stored text;
  v_sub text;
  -- An assignment costs a fourth of a PERFORM. @plpgsql_check_options: extra_warnings = false
  v_set text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if v_user_id is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  if p_on_behalf_of is not null then
    perform interlock.refuse_unless_shop();
    if not exists (select from interlock.accounts u where u.id = p_on_behalf_of) then
      perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_on_behalf_of));
    end if;
  end if;

  if num_nonnulls(p_shipping_method, p_shipping_address, p_contact, p_metadata) > 0 then
    v_details := interlock.shape_details(p_shipping_address, p_contact, p_metadata);
    v_problems := interlock.find_detail_problems('/', p_shipping_address, p_contact, p_metadata);
    if not interlock.is_line(p_shipping_method, 40) then
      v_problems := v_problems || interlock.problem(
        '/shipping_method', 'must be 1 to 40 characters, without control characters'
      );
    end if;
    v_said := coalesce(v_details, '{}') || jsonb_build_object('shipping_method', p_shipping_method);
  end if;
  if p_wallet_amount < 0 then
    v_problems := v_problems || interlock.problem(
      '/wallet_amount', 'must be a whole number of minor units, 0 or more'
    );
  end if;

  v_problems := coalesce(interlock.find_checkout_problems(
    p_cart_items, p_promo_code, v_payment_method, p_idempotency_key, p_expected_total
  ), '[]') || v_problems;
  if v_problems <> '[]' then
    perform interlock.refuse_problems(v_problems);
  end if;

  v_order_id := interlock.new_id();
  select s.* into v_settings from interlock.settings s;
  v_look := interlock.look_at_cart(p_cart_items);

  if v_look.has_terms or p_reservation_id is not null then
    select t.* into v_untracked, v_backorder, v_look.shortages, v_limits, v_customer_limit
    from interlock.look_at_terms(v_user_id, p_reservation_id, v_look.product_ids, v_look.quantities) t;
  end if;

  -- Whether there is more to pay than the goods.
  v_charged := p_shipping_method is not null or v_settings.taxed or v_settings.shipping_required;

  -- The same cart is the same request, however its lines stand and whatever it was expected to cost.
  v_request := jsonb_build_object(
    'products', v_look.product_ids,
    'quantities', v_look.quantities,
    'promo_code', p_promo_code,
    'cart_id', p_cart_id,
    'payment_method', v_payment_method
  );
  if v_said is not null then
    v_request := v_request || v_said;
  end if;
  if p_on_behalf_of is not null then
    v_request := v_request || jsonb_build_object('on_behalf_of', p_on_behalf_of);
  end if;
  if p_wallet_amount is not null then
    v_request := v_request || jsonb_build_object('wallet_amount', p_wallet_amount);
  end if;

  v_refusal := case
    when not v_payment_method = any (v_settings.payment_methods)
      or p_wallet_amount > 0 and not 'wallet' = any (v_settings.payment_methods)
    then 'PAYMENT_METHOD_NOT_ALLOWED'
    when v_look.missing is not null then 'PRODUCT_NOT_FOUND'
    when v_look.currencies[1] <> any (v_look.currencies) then 'MIXED_CURRENCIES'
    when v_look.price_changed or (p_promo_code is null and not v_charged and v_look.subtotal <> p_expected_total) then 'PRICE_CHANGED'
    when v_limits is not null then 'PRODUCT_ORDER_LIMIT'
    when v_look.shortages is not null then 'INSUFFICIENT_INVENTORY'
    when v_settings.checkouts_per_product is not null
      and not interlock.admit_checkout(v_look.product_ids, v_settings.checkouts_per_product)
    then 'UPSTREAM_UNAVAILABLE'
  end;

  if v_refusal is not null then
    -- The cart before the key: a twin that commits between the two looks has left its answer.
    v_ordered := interlock.find_ordered_cart(v_user_id, p_cart_id);
    v_answer := interlock.find_idempotent('checkout', p_idempotency_key, v_request);
    if v_answer is not null then
      return v_answer::json;
    end if;
    if v_ordered is not null then
      perform interlock.raise_error('CART_ALREADY_ORDERED', v_ordered);
    end if;
    perform interlock.raise_error(v_refusal, case v_refusal
      when 'PAYMENT_METHOD_NOT_ALLOWED' then jsonb_build_object(
        'payment_method', case
          when v_payment_method = any (v_settings.payment_methods) then 'wallet'
          else v_payment_method
        end,
        'allowed', v_settings.payment_methods
      )
      when 'PRODUCT_NOT_FOUND' then jsonb_build_object('product_ids', v_look.missing)
      when 'MIXED_CURRENCIES' then jsonb_build_object(
        'currencies', (select jsonb_agg(distinct c) from unnest(v_look.currencies) as c)
      )
      when 'PRICE_CHANGED' then interlock.price_change(
        p_cart_items, p_expected_total, format('[%s]', v_look.items)::jsonb, v_look.subtotal,
        case when p_promo_code is null and not v_charged then v_look.subtotal end, v_look.currencies[1]
      )
      when 'PRODUCT_ORDER_LIMIT' then jsonb_build_object('limits', v_limits)
      when 'INSUFFICIENT_INVENTORY' then jsonb_build_object('shortages', v_look.shortages)
    end);
  end if;

  -- A guess at a promo code must count though nothing else of the request happens, so an
  -- unknown code is answered and not raised: see promo/tables/promo_attempts.sql.
  if p_promo_code is not null then
    v_answer := coalesce(
      interlock.find_idempotent('checkout', p_idempotency_key, v_request),
      interlock.refuse_unknown_promo(v_user_id, p_promo_code)::text
    );
    if v_answer is not null then
      return v_answer::json;
    end if;
  end if;

  -- Without a promo code, shipping and tax the terms are known now, and without codes to deliver so is the whole answer.
  v_digital := 'digital' = any (v_look.kinds);
  if p_promo_code is null and not v_charged then
    v_order := interlock.new_order(
      v_order_id, v_user_id, v_look.currencies[1], v_look.subtotal, 0, v_payment_method, null, p_cart_id,
      v_settings.confirmation_window, null, 0, 0, 0, 0, p_wallet_amount
    );
    if not v_digital and v_backorder is not true and v_order.wallet_amount = 0 then
      -- As text that is filled in: what interlock.shape_order makes costs three times as much.
      v_answer := format(
        '{"success": true, "order": {"id": "%s", "number": %s, "status": "%s", "fulfillment": "unfulfilled", "currency": "%s", "subtotal": %s, '
          '"discount": 0, "shipping_method": null, "shipping": 0, "shipping_tax": 0, "tax": 0, "tax_included": 0, "total": %s, '
          '"payment_method": "%s", "cart_id": %s, "created_at": %s, "payment_expires_at": %s, "paid_at": %s, "shipped_at": null, '
          '"tracking": null, "fulfilled_at": null, "cancelled_at": null, "refunded_at": null, "items": [%s]%s}',
        v_order_id, v_order.number, v_order.status, v_order.currency, v_order.subtotal, v_order.total,
        v_payment_method, coalesce(to_json(p_cart_id), 'null'), to_json(v_order.created_at),
        coalesce(to_json(v_order.payment_expires_at), 'null'), coalesce(to_json(v_order.paid_at), 'null'), v_look.items,
        coalesce(', ' || substr(v_details::text, 2), '}')
      );
    end if;
  end if;

  -- Who calls is read out of the claims again by whatever writes down who did it; where it looks first is only a name to copy.
  v_sub := coalesce(current_setting('request.jwt.claim.sub', true), '');
  v_set := set_config('request.jwt.claim.sub', coalesce(v_caller_id::text, ''), true);

  -- The key, before anything else but the customer's promo attempts is locked.
  v_stored := interlock.begin_idempotent('checkout', p_idempotency_key, v_request, v_answer);
  if v_stored is not null then
    v_set := set_config('request.jwt.claim.sub', v_sub, true);
    return v_stored::json;
  end if;

  -- Here, because nothing that follows tells whose account is gone.
  if p_on_behalf_of is not null and not interlock.lock_user(p_on_behalf_of) then
    perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_on_behalf_of));
  end if;

  -- A cart that its buyer has named becomes one order, under whatever keys it is sent.
  if p_cart_id is not null then
    perform interlock.lock_cart(v_user_id, p_cart_id);
    v_ordered := interlock.find_ordered_cart(v_user_id, p_cart_id);
    if v_ordered is not null then
      perform interlock.raise_error('CART_ALREADY_ORDERED', v_ordered);
    end if;
  end if;

  -- What the customer has reserved is theirs to buy; the rest comes from the stock. What has ended meanwhile is in the stock.
  if p_reservation_id is not null then
    perform interlock.lock_user(v_user_id);
    select r.* into v_redeemed, v_reserved_ids, v_reserved_quantities
    from interlock.take_reservation(v_user_id, p_reservation_id) r;
    if v_redeemed then
      -- Who buys may reserve again, for as long as at first.
      delete from interlock.cart_reservations r where r.user_id = v_user_id;
    end if;
  end if;

  if v_customer_limit then
    perform interlock.take_customer_limits(v_user_id, v_look.product_ids, v_look.quantities);
  end if;

  -- Goods that nobody has paid for are limited, if the shop says so.
  if v_order.status is distinct from 'paid'
    and v_payment_method <> 'wallet'
    and (v_settings.max_open_orders_per_customer is not null or v_settings.max_open_units_per_customer is not null)
  then
    v_counted := v_look.units;
    perform interlock.take_open_order(
      v_user_id, v_look.units, v_settings.max_open_orders_per_customer, v_settings.max_open_units_per_customer
    );
  end if;

  -- The price, and the money.
  if v_payment_method = 'wallet' or p_wallet_amount > 0 then
    v_wallet := interlock.lock_wallet(v_user_id);
    -- No wallet may mean no account: locked it is not, and nobody without an account pays.
    if v_wallet.user_id is null then
      perform interlock.require_user();
    end if;
  end if;

  if p_promo_code is not null then
    perform interlock.lock_user(v_user_id);
    v_discounts := interlock.redeem_promo(
      v_user_id,
      p_promo_code,
      p_cart_id,
      v_order_id,
      v_look.currencies[1],
      (
        select jsonb_agg(jsonb_build_object(
          'product_id', l.product_id, 'quantity', l.quantity, 'unit_price', l.unit_price
        ))
        from unnest(v_look.product_ids, v_look.quantities, v_look.unit_prices) as l (product_id, quantity, unit_price)
      )
    );
    select r.promo_id
    into v_promo_id
    from interlock.promo_redemptions r
    where r.order_id = v_order_id
      and r.status = 'redeemed';
  end if;

  if v_charged then
    select c.*
    into v_shipping, v_shipping_tax, v_tax, v_tax_included, v_taxes, v_tax_percents, v_tax_inclusive
    from interlock.charge_order(
      p_shipping_method,
      v_settings.shipping_required and 'physical' = any (v_look.kinds),
      p_shipping_address ->> 'country',
      v_look.currencies[1],
      v_look.product_ids,
      array(
        select l.quantity * l.unit_price - coalesce(l.discount, 0)
        from unnest(v_look.quantities, v_look.unit_prices, v_discounts) with ordinality as l (quantity, unit_price, discount, n)
        order by l.n
      )
    ) as c;
  end if;

  if v_order.id is null then
    v_order := interlock.new_order(
      v_order_id, v_user_id, v_look.currencies[1], v_look.subtotal,
      (select coalesce(sum(d), 0)::bigint from unnest(v_discounts) as d),
      v_payment_method, v_promo_id, p_cart_id, v_settings.confirmation_window,
      p_shipping_method, v_shipping, v_shipping_tax, v_tax, v_tax_included, p_wallet_amount
    );
    if v_order.total <> p_expected_total then
      perform interlock.raise_error('PRICE_CHANGED', interlock.price_change(
        p_cart_items, p_expected_total, format('[%s]', v_look.items)::jsonb, v_look.subtotal, v_order.total, v_look.currencies[1]
      ) || case
        when v_charged then jsonb_build_object('shipping', v_order.shipping, 'tax', v_order.tax)
        else '{}'
      end);
    end if;
  end if;

  if v_payment_method = 'wallet' then
    perform interlock.pay_from_wallet(v_wallet, v_order.total, v_order.currency, 'checkout', v_order_id);
  elsif p_wallet_amount > 0 then
    perform interlock.pay_from_wallet(v_wallet, v_order.wallet_amount, v_order.currency, 'checkout', v_order_id);
  end if;

  if v_counted is not null then
    if v_order.status = 'paid' then
      -- A code took off all of it.
      update interlock.customer_open_orders c
      set orders = c.orders - 1,
          units = c.units - v_look.units
      where c.user_id = v_user_id;
    else
      v_order.counted_units := v_counted;
    end if;
  end if;

  -- The order.
  -- The account is locked by its foreign key in any case; here it is asked for as well, at no price: a token outlives
  -- its user.
  insert into interlock.orders
  select v_order.*
  from interlock.accounts u
  where u.id = v_user_id
  for key share;
  if not found then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;

  insert into interlock.order_items (
    order_id, product_id, quantity, unit_price, name, kind, discount, tax, tax_percent, tax_inclusive, untracked
  )
  select
    v_order_id, l.product_id, l.quantity, l.unit_price, l.name, l.kind, coalesce(l.discount, 0),
    coalesce(l.tax, 0), l.tax_percent, l.tax_inclusive, coalesce(l.product_id = any (v_untracked), false)
  from unnest(
    v_look.product_ids, v_look.quantities, v_look.unit_prices, v_look.names, v_look.kinds, v_discounts,
    v_taxes, v_tax_percents, v_tax_inclusive
  ) as l (product_id, quantity, unit_price, name, kind, discount, tax, tax_percent, tax_inclusive);

  if v_details is not null then
    insert into interlock.order_details (order_id, shipping_address, contact, metadata)
    values (v_order_id, p_shipping_address, p_contact, p_metadata);
  end if;

  -- The answer comes before the stock if it needs neither the codes nor what is owed.
  if v_answer is null and not v_digital and v_backorder is not true then
    v_answer := jsonb_build_object('success', true, 'order', interlock.order_to_json(v_order_id))::text;
    perform interlock.finish_idempotent('checkout', p_idempotency_key, v_answer);
  end if;

  if v_untracked is not null then
    if exists (
      select
      from unnest(v_look.product_ids, v_look.unit_prices) as w (product_id, unit_price)
      left join interlock.products p on p.id = w.product_id
      where w.product_id = any (v_untracked)
        and (
          p.active and p.stock_policy = 'untracked' and p.price = w.unit_price and p.currency = v_look.currencies[1]
        ) is not true
    ) then
      perform interlock.raise_product_changed();
    end if;
    select array_agg(l.product_id), array_agg(l.quantity), array_agg(l.unit_price), array_agg(l.kind)
    into v_look.product_ids, v_look.quantities, v_look.unit_prices, v_look.kinds
    from unnest(v_look.product_ids, v_look.quantities, v_look.unit_prices, v_look.kinds)
      as l (product_id, quantity, unit_price, kind)
    where l.product_id <> all (v_untracked);
  end if;

  -- Nobody sees it on the shelf in between: all rows are locked, in their order, before it is given back.
  if v_reserved_ids is not null then
    perform interlock.lock_stock(v_look.product_ids || v_reserved_ids);
    perform interlock.return_stock(v_reserved_ids, v_reserved_quantities, 'cart_redeemed', p_reservation_id);
    v_look.slotted := null;
  end if;

  if v_look.product_ids is not null and (v_look.slotted is null or not interlock.take_from_slots(
    v_look.product_ids, v_look.quantities, 'checkout', v_order_id, v_look.unit_prices, v_look.currencies[1], v_look.slotted
  )) then
    v_owed := interlock.take_stock(
      v_look.product_ids, v_look.quantities, 'checkout', v_order_id, v_look.unit_prices, v_look.currencies[1]
    );
  end if;

  if v_owed then
    -- The look has not seen that it may come to this, so the answer does not say it.
    if v_answer is not null then
      perform interlock.raise_product_changed();
    end if;
    perform interlock.note_backorders(v_order_id);
  end if;

  if v_digital then
    perform interlock.take_product_codes(
      d.product_ids, d.quantities, v_order_id, 'checkout', v_order.status = 'paid'
    )
    from (
      select array_agg(l.product_id) as product_ids, array_agg(l.quantity) as quantities
      from unnest(v_look.product_ids, v_look.quantities, v_look.kinds) as l (product_id, quantity, kind)
      where l.kind = 'digital'
    ) d;
  end if;

  if v_answer is null then
    v_answer := jsonb_build_object('success', true, 'order', case
      -- A code is for its buyer's eyes only.
      when p_on_behalf_of is null then interlock.order_to_json(v_order_id)
      else interlock.order_to_json(v_order_id) - 'codes'
    end)::text;
    perform interlock.finish_idempotent('checkout', p_idempotency_key, v_answer);
  end if;

  v_set := set_config('request.jwt.claim.sub', v_sub, true);
  return v_answer::json;
end
$$;
