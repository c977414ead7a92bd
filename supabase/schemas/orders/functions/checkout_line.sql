-- Buy a single line of a physical product, as most carts are, without sets: every array and aggregate of the way for a whole cart costs a
-- request of one line more than the row it is made for. It takes the same locks in the same order and writes the same
-- rows and the same answer.
--
-- It never refuses what the way for carts might sell or has a better word for: what is not plain (not written as a line has to be, sold out at
-- first sight, another price than expected, limited, untracked or digital, for nothing, taxed, shipped at a price) it leaves alone before
-- anything is written, and answers null. Once it has written, whatever it does not get is asked for where carts get theirs
-- (interlock.take_stock, interlock.take_from_slots).
--
-- Postgres sets up each expression and statement anew in each transaction, every operator and column of it: so the answer is a text that is
-- filled in (what interlock.shape_order makes of the order), and most columns of the order are left to their defaults.
--
-- Callers: authenticated and service_role, through public.checkout, without promo code, wallet, buyer or reservation that is named.
-- Locks: idempotency key; cart (if it has a name); the buyer's account; the counter of their open orders (with a limit); the product, or a
--   slot of it.
-- Errors: UNAUTHENTICATED, CART_ALREADY_ORDERED, TOO_MANY_OPEN_ORDERS, IDEMPOTENCY_KEY_REUSED; as interlock.take_stock and interlock.take_from_slots.
-- Security definer: as interlock.checkout.
create function interlock.checkout_line(
  p_cart_items jsonb,
  p_cart_id uuid,
  p_payment_method text,
  p_idempotency_key text,
  p_expected_total bigint,
  p_shipping_address jsonb,
  p_contact jsonb,
  p_metadata jsonb
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_item constant jsonb := p_cart_items -> 0;
  v_said_id constant text := v_item ->> 'product_id';
  -- As JSON writes it: a text would have quotes.
  v_said_quantity constant text := v_item -> 'quantity';
  v_product_id uuid;
  v_quantity int;
  v_price bigint;
  v_name text;
  v_currency text;
  v_slots int;
  v_window interval;
  v_max_orders int;
  v_max_units int;
  v_total bigint;
  v_id uuid;
  v_number bigint;
  v_payment_method constant text := coalesce(p_payment_method, 'cash_on_delivery');
  v_status constant text := case v_payment_method when 'cash_on_delivery' then 'confirmed' else 'pending_payment' end;
  v_details jsonb;
  v_said jsonb;
  v_now timestamptz;
  v_expires_at timestamptz;
  v_counted int;
  v_answer text;
  v_request text;
  v_key_lifetime interval;
  v_stored text;
  v_ordered jsonb;
  v_taken boolean;
  v_balance int;
  v_owed boolean;
  v_sub text;
  v_writes_ledger text;
  -- An assignment costs a fourth of a PERFORM. @plpgsql_check_options: extra_warnings = false
  v_set text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if v_user_id is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;

  if (case when v_said_id like '________-____-____-____-____________' then
    translate(v_said_id, '0123456789abcdefABCDEF', '') = '----'
    and translate(v_said_quantity, '0123456789', '') = ''
    and char_length(v_said_quantity) < 5
    and coalesce(p_idempotency_key ~ '^[\x20-\x7e]+$' and char_length(p_idempotency_key) <= 255, true)
    and v_item - '{product_id,quantity,expected_unit_price}'::text[] = '{}'
    and v_payment_method <> 'wallet'
  end) is not true then
    return null;
  end if;
  if num_nonnulls(p_shipping_address, p_contact, p_metadata) > 0 then
    if interlock.find_detail_problems('/', p_shipping_address, p_contact, p_metadata) <> '[]' then
      return null;
    end if;
    v_details := interlock.shape_details(p_shipping_address, p_contact, p_metadata);
    v_said := coalesce(v_details, '{}') || jsonb '{"shipping_method": null}';
  end if;
  v_product_id := v_said_id::uuid;
  v_quantity := v_said_quantity::int;

  select
    p.price, p.name, p.currency, p.stock_slots, s.idempotency_key_lifetime, s.max_open_orders_per_customer, s.max_open_units_per_customer,
    case v_payment_method
      when 'cash_on_delivery' then s.confirmation_window
      when 'card' then s.card_payment_window
      else s.payment_window
    end
  into v_price, v_name, v_currency, v_slots, v_key_lifetime, v_max_orders, v_max_units, v_window
  from interlock.products p, interlock.settings s
  where p.id = v_product_id
    and p.active
    and p.kind = 'physical'
    and p.stock_policy = 'tracked'
    and num_nonnulls(p.max_per_order, p.max_per_customer, s.checkouts_per_product) = 0
    and p.available_quantity >= v_quantity
    and v_payment_method = any (s.payment_methods)
    and not s.taxed
    and not s.shipping_required;
  v_total := v_quantity * v_price;
  if (
    v_total > 0
    and coalesce((v_item -> 'expected_unit_price')::text, v_price::text) = v_price::text
    and v_total = coalesce(p_expected_total, v_total)
  ) is not true then
    return null;
  end if;
  -- What is in slots is not for sale at this moment if none of them has enough.
  if v_slots > 0 then
    if not exists (
      select from interlock.counter_slots s where s.owner_id = v_product_id and s.granted - s.used >= v_quantity
    ) then
      return null;
    end if;
  end if;

  v_id := interlock.new_id();
  v_number := nextval('interlock.orders_number_seq');
  v_now := interlock.clock();
  v_expires_at := v_now + v_window;
  v_answer := format(
    '{"success": true, "order": {"id": "%s", "number": %s, "status": "%s", "fulfillment": "unfulfilled", "currency": "%s", "subtotal": %s, '
      '"discount": 0, "shipping_method": null, "shipping": 0, "shipping_tax": 0, "tax": 0, "tax_included": 0, "total": %s, '
      '"payment_method": "%s", "cart_id": %s, "created_at": %s, "payment_expires_at": %s, "paid_at": null, "shipped_at": null, '
      '"tracking": null, "fulfilled_at": null, "cancelled_at": null, "refunded_at": null, "items": [{"product_id": "%s", "name": %s, '
      '"quantity": %s, "unit_price": %s, "discount": 0, "tax": 0, "total": %s}]%s}',
    v_id, v_number, v_status, v_currency, v_total, v_total,
    v_payment_method, coalesce(to_json(p_cart_id), 'null'), to_json(v_now), coalesce(to_json(v_expires_at), 'null'), v_product_id,
    to_json(v_name), v_quantity, v_price, v_total, coalesce(', ' || substr(v_details::text, 2), '}')
  );

  -- Who calls is read out of the claims again by whatever writes down who did it; where it looks first is only a name to copy.
  v_sub := coalesce(current_setting('request.jwt.claim.sub', true), '');
  v_set := set_config('request.jwt.claim.sub', v_user_id::text, true);

  if p_idempotency_key is not null then
    -- What interlock.checkout makes of a cart, so that a twin which goes there finds it.
    v_request := format(
      '{"cart_id": %s, "products": ["%s"], "promo_code": null, "quantities": [%s], "payment_method": "%s"}',
      coalesce(to_json(p_cart_id), 'null'), v_product_id, v_quantity, v_payment_method
    );
    if v_said is not null then
      v_request := v_request::jsonb || v_said;
    end if;
    insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, expires_at)
    values (
      v_user_id, 'checkout', p_idempotency_key, sha256(convert_to(v_request, 'UTF8')), v_answer, v_now + v_key_lifetime
    )
    on conflict do nothing;
    if not found then
      v_stored := interlock.begin_idempotent('checkout', p_idempotency_key, v_request::jsonb, v_answer);
      if v_stored is not null then
        v_set := set_config('request.jwt.claim.sub', v_sub, true);
        return v_stored::json;
      end if;
    end if;
  end if;
  if p_cart_id is not null then
    perform interlock.lock_cart(v_user_id, p_cart_id);
    v_ordered := interlock.find_ordered_cart(v_user_id, p_cart_id);
    if v_ordered is not null then
      perform interlock.raise_error('CART_ALREADY_ORDERED', v_ordered);
    end if;
  end if;
  if num_nonnulls(v_max_orders, v_max_units) > 0 then
    v_counted := v_quantity;
    perform interlock.take_open_order(v_user_id, v_quantity, v_max_orders, v_max_units);
  end if;

  -- A token outlives its user: the account is locked by its foreign key in any case, and here asked for as well.
  insert into interlock.orders (
    id, number, user_id, status, currency, subtotal, total, payment_method, cart_id, counted_units, payment_expires_at, created_at
  )
  values (
    v_id, v_number, (select u.id from interlock.accounts u where u.id = v_user_id for key share), v_status, v_currency, v_total, v_total,
    v_payment_method, p_cart_id, v_counted, v_expires_at, v_now
  )
  returning user_id is not null into v_taken;
  if not v_taken then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values (v_id, v_product_id, v_quantity, v_price, v_name, 'physical');
  if v_details is not null then
    insert into interlock.order_details (order_id, shipping_address, contact, metadata)
    values (v_id, v_details -> 'shipping_address', v_details -> 'contact', v_details -> 'metadata');
  end if;

  if v_slots > 0 then
    v_taken := interlock.take_from_slot(v_product_id, v_quantity, 'checkout', v_id, v_price, v_currency);
  else
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    v_writes_ledger := current_setting('interlock.writes_ledger', true);
    v_set := set_config('interlock.writes_ledger', pg_trigger_depth()::text, true);
    update interlock.products p
    set available_quantity = p.available_quantity - v_quantity
    where p.id = v_product_id
      and p.kind = 'physical'
      and p.stock_slots = 0
      and p.available_quantity >= v_quantity
      and p.active
      and p.price = v_price
      and p.currency = v_currency
    returning p.available_quantity - p.backordered into v_balance;
    v_taken := found;
    v_set := set_config('interlock.writes_ledger', v_writes_ledger, true);
    if v_taken then
      insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
      values (v_product_id, -v_quantity, v_balance, 'checkout', v_id, v_user_id);
    end if;
  end if;
  if not v_taken then
    if v_slots = 0 or not interlock.take_from_slots(
      array[v_product_id], array[v_quantity], 'checkout', v_id, array[v_price], v_currency, array[v_product_id]
    ) then
      v_owed := interlock.take_stock(
        array[v_product_id], array[v_quantity], 'checkout', v_id, array[v_price], v_currency
      );
      -- It was not seen that it may come to this, so the answer does not say it.
      if v_owed then
        perform interlock.raise_product_changed();
      end if;
    end if;
  end if;
  v_set := set_config('request.jwt.claim.sub', v_sub, true);
  return v_answer::json;
end
$$;
