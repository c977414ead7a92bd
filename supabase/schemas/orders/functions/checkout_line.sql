-- Buy a single line of a physical product, as most carts are, without sets: every array and aggregate of the way for a whole cart costs a
-- request of one line more than the row it is made for. It takes the same locks in the same order and writes the same
-- rows and the same answer.
--
-- It never refuses what the way for carts might sell or has a better word for: what is not plain (sold out at first sight, another price than
-- expected, limited, untracked or digital, taxed, shipped at a price) it leaves alone before anything is written, and answers null. Once it
-- has written, whatever it does not get is asked for where carts get theirs (interlock.take_stock, interlock.take_from_slots).
--
-- Callers: interlock.checkout, with a line in which interlock.find_checkout_problems has found no problem, without promo code, wallet, buyer or
--   reservation that is named.
-- Locks: idempotency key; cart (if it has a name); the buyer's account; the counter of their open orders (with a limit); the product, or a
--   slot of it.
-- Errors: UNAUTHENTICATED, CART_ALREADY_ORDERED, TOO_MANY_OPEN_ORDERS, IDEMPOTENCY_KEY_REUSED; as interlock.take_stock and interlock.take_from_slots.
create function interlock.checkout_line(
  p_user_id uuid,
  p_item jsonb,
  p_cart_id uuid,
  p_payment_method text,
  p_idempotency_key text,
  p_expected_total bigint,
  p_said jsonb,
  p_details jsonb
)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_product_id constant uuid := p_item ->> 'product_id';
  v_quantity constant int := (p_item -> 'quantity')::numeric;
  v_price bigint;
  v_name text;
  v_currency text;
  v_slots int;
  v_confirmation_window interval;
  v_max_orders int;
  v_max_units int;
  v_order interlock.orders;
  v_answer text;
  v_request jsonb;
  v_stored text;
  v_taken boolean;
  v_owed boolean;
begin
  select
    p.price, p.name, p.currency, p.stock_slots,
    s.confirmation_window, s.max_open_orders_per_customer, s.max_open_units_per_customer
  into v_price, v_name, v_currency, v_slots, v_confirmation_window, v_max_orders, v_max_units
  from interlock.products p, interlock.settings s
  where p.id = v_product_id
    and p.active
    and p.kind = 'physical'
    and p.stock_policy = 'tracked'
    and num_nonnulls(p.max_per_order, p.max_per_customer, s.checkouts_per_product) = 0
    and p.available_quantity >= v_quantity
    and p_payment_method = any (s.payment_methods)
    and not s.taxed
    and not s.shipping_required;
  if v_price is null
    or v_price <> (p_item -> 'expected_unit_price')::numeric
    or v_quantity * v_price <> p_expected_total
  then
    return null;
  end if;
  -- What is in slots is not for sale at this moment if none of them has enough.
  if v_slots > 0 and not exists (
    select from interlock.counter_slots s where s.owner_id = v_product_id and s.granted - s.used >= v_quantity
  ) then
    return null;
  end if;

  v_order := interlock.new_order(
    interlock.new_id(), p_user_id, v_currency, v_quantity * v_price, 0, p_payment_method, null, p_cart_id,
    v_confirmation_window, null, 0, 0, 0, 0, null
  );
  v_answer := jsonb_build_object('success', true, 'order', interlock.shape_order(v_order, jsonb_build_array(jsonb_build_object(
    'product_id', v_product_id,
    'name', v_name,
    'quantity', v_quantity,
    'unit_price', v_price,
    'discount', 0,
    'tax', 0,
    'total', v_quantity * v_price
  )), p_details))::text;

  if p_idempotency_key is not null then
    -- What interlock.checkout makes of a cart, so that a twin which goes there finds it.
    v_request := jsonb_build_object(
      'products', jsonb_build_array(v_product_id),
      'quantities', jsonb_build_array(v_quantity),
      'promo_code', null,
      'cart_id', p_cart_id,
      'payment_method', p_payment_method
    );
    if p_said is not null then
      v_request := v_request || p_said;
    end if;
    v_stored := interlock.begin_idempotent('checkout', p_idempotency_key, v_request, v_answer);
    if v_stored is not null then
      return v_stored;
    end if;
  end if;
  if p_cart_id is not null then
    perform interlock.lock_cart(p_user_id, p_cart_id);
    perform interlock.refuse_ordered_cart(p_user_id, p_cart_id);
  end if;
  if num_nonnulls(v_max_orders, v_max_units) > 0 and v_order.status <> 'paid' then
    v_order.counted_units := v_quantity;
    perform interlock.take_open_order(p_user_id, v_quantity, v_max_orders, v_max_units);
  end if;

  -- A token outlives its user.
  insert into interlock.orders
  select v_order.*
  from auth.users u
  where u.id = p_user_id
  for key share;
  if not found then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values (v_order.id, v_product_id, v_quantity, v_price, v_name, 'physical');
  if p_details is not null then
    insert into interlock.order_details (order_id, shipping_address, contact, metadata)
    values (v_order.id, p_details -> 'shipping_address', p_details -> 'contact', p_details -> 'metadata');
  end if;

  v_taken := case
    when v_slots > 0 then interlock.take_from_slot(v_product_id, v_quantity, 'checkout', v_order.id, v_price, v_currency)
    else interlock.take_from_row(v_product_id, v_quantity, 'checkout', v_order.id, v_price, v_currency)
  end;
  if not v_taken then
    if v_slots = 0 or not interlock.take_from_slots(
      array[v_product_id], array[v_quantity], 'checkout', v_order.id, array[v_price], v_currency, array[v_product_id]
    ) then
      v_owed := interlock.take_stock(
        array[v_product_id], array[v_quantity], 'checkout', v_order.id, array[v_price], v_currency
      );
      -- It was not seen that it may come to this, so the answer does not say it.
      if v_owed then
        perform interlock.raise_product_changed();
      end if;
    end if;
  end if;
  return v_answer;
end
$$;
