-- What public.checkout answers and what it leaves behind; wallets and idempotency keys.
-- Time does not pass inside a transaction, so keys are aged by moving their end.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(134);
-- Else what refers to accounts waits, where there are many shops, and a table that waits is not altered.
set constraints all immediate;

-- Limits of customers have a file of their own: 31-open-orders.sql.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

-- Cast --------------------------------------------------------------------

insert into auth.users (id, aud, role, email)
values
  ('7c000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com'),
  ('7c000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-bob@example.com'),
  ('7c000000-0000-4000-8000-000000000003', 'authenticated', 'authenticated', 'tap-carl@example.com');

create temporary table cast_of (name text primary key, id uuid);
insert into cast_of
values
  ('ann', '7c000000-0000-4000-8000-000000000001'),
  ('bob', '7c000000-0000-4000-8000-000000000002'),
  ('nameless', null);

insert into interlock.products (id, name, price, currency, available_quantity, kind, active)
values
  ('7d000000-0000-4000-8000-000000000001', 'tap oil', 1299, 'EUR', 5, 'physical', true),
  ('7d000000-0000-4000-8000-000000000002', 'tap beans', 899, 'EUR', 100, 'physical', true),
  ('7d000000-0000-4000-8000-000000000003', 'tap mug', 1400, 'USD', 20, 'physical', true),
  ('7d000000-0000-4000-8000-000000000004', 'tap hidden', 1, 'EUR', 20, 'physical', false),
  ('7d000000-0000-4000-8000-000000000005', 'tap gift', 2500, 'EUR', 0, 'digital', true),
  ('7d000000-0000-4000-8000-000000000006', 'tap flyer', 0, 'EUR', 100, 'physical', true);

insert into interlock.product_codes (product_id, code)
select '7d000000-0000-4000-8000-000000000005', 'tap-gift-' || n from generate_series(1, 3) n;

update interlock.settings set payment_window = '24 hours', idempotency_key_lifetime = '24 hours';

create function pg_temp.p(p_n int)
returns text
language sql
as $$
  select '7d000000-0000-4000-8000-' || lpad(p_n::text, 12, '0')
$$;

-- A cart: pairs of product and quantity.
create function pg_temp.cart(variadic p_pairs int[])
returns jsonb
language sql
as $$
  select jsonb_agg(jsonb_build_object('product_id', pg_temp.p(p_pairs[i]), 'quantity', p_pairs[i + 1]) order by i)
  from generate_series(1, cardinality(p_pairs), 2) i
$$;

-- Calls the RPC as a signed-in user. The answer is the body as text, or the error as JSON.
create function pg_temp.call(
  p_who text,
  p_cart jsonb,
  p_method text default null,
  p_key text default null,
  p_promo text default null,
  p_cart_id uuid default null
)
returns text
language plpgsql
as $$
declare
  v_id uuid;
  v_answer text;
  v_detail text;
  v_hint text;
begin
  select id into strict v_id from cast_of where name = p_who;
  perform set_config(
    'request.jwt.claims',
    jsonb_strip_nulls(jsonb_build_object('role', 'authenticated', 'sub', v_id))::text,
    true
  );
  perform set_config('response.headers', '', true);
  set local role authenticated;
  v_answer := public.checkout(p_cart, p_promo, p_cart_id, p_method, p_key)::text;
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    return jsonb_build_object(
      'sqlstate', sqlstate,
      'message', sqlerrm,
      'detail', nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}'),
      'has_hint', v_hint <> ''
    )::text;
end
$$;

create function pg_temp.refusal(p_sqlstate text, p_message text, p_detail jsonb)
returns jsonb
language sql
as $$
  select jsonb_build_object('sqlstate', p_sqlstate, 'message', p_message, 'detail', p_detail, 'has_hint', true)
$$;

create function pg_temp.stock(p_n int)
returns int
language sql
as $$
  select available_quantity from interlock.products where id = pg_temp.p(p_n)::uuid
$$;

create function pg_temp.balance(p_who text)
returns bigint
language sql
as $$
  select w.balance from interlock.wallets w join cast_of c on c.id = w.user_id where c.name = p_who
$$;

create function pg_temp.fingerprint()
returns text
language sql
as $$
  select md5(concat(
    (select string_agg(t::text, ';' order by t.id) from interlock.products t),
    (select string_agg(t::text, ';' order by t.id) from interlock.stock_movements t),
    (select string_agg(t::text, ';' order by t.user_id) from interlock.wallets t),
    (select string_agg(t::text, ';' order by t.id) from interlock.wallet_movements t),
    (select string_agg(t::text, ';' order by t.id) from interlock.orders t),
    (select string_agg(t::text, ';' order by t.order_id, t.product_id) from interlock.order_items t),
    (select string_agg(t::text, ';' order by t.id) from interlock.order_events t),
    (select string_agg(t::text, ';' order by t.id) from interlock.product_codes t),
    (select string_agg(t::text, ';' order by t.id) from interlock.promo_codes t),
    (select string_agg(t::text, ';' order by t.id) from interlock.promo_redemptions t),
    (select string_agg(t::text, ';' order by t.user_id, t.operation, t.key) from interlock.idempotency_keys t)
  ))
$$;

create temporary table answers (name text primary key, answer text);

-- A sale ------------------------------------------------------------------

insert into answers values ('first', pg_temp.call('ann', pg_temp.cart(1, 3)));
select is(
  (select answer::jsonb #- '{order,id}' #- '{order,number}' #- '{order,created_at}' from answers where name = 'first'),
  jsonb_build_object('success', true, 'order', jsonb_build_object(
    'status', 'confirmed', 'currency', 'EUR', 'subtotal', 3897, 'discount', 0, 'shipping_method', null, 'shipping', 0, 'shipping_tax', 0, 'tax', 0, 'tax_included', 0, 'total', 3897,
    'payment_method', 'cash_on_delivery', 'cart_id', null, 'payment_expires_at', null, 'paid_at', null,
    'fulfillment', 'unfulfilled', 'shipped_at', null, 'tracking', null, 'fulfilled_at', null, 'cancelled_at', null, 'refunded_at', null,
    'items', jsonb_build_array(jsonb_build_object(
      'product_id', pg_temp.p(1), 'name', 'tap oil', 'quantity', 3, 'unit_price', 1299, 'discount', 0, 'tax', 0, 'total', 3897
    ))
  )),
  'without a method: cash on delivery, and the whole order in the answer'
);
select is(pg_temp.stock(1), 2, '5 - 3 = 2');
select is(
  pg_temp.call('bob', pg_temp.cart(1, 3))::jsonb,
  pg_temp.refusal('PT409', 'INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(1), 'requested', 3, 'available', 2)
  ))),
  'the second buyer of three is told that two are left'
);
select is(pg_temp.stock(1), 2, 'and changes nothing');

create temporary table first_order as
  select (answer::jsonb #>> '{order,id}')::uuid as id from answers where name = 'first';

select results_eq(
  'select user_id, status::text, subtotal::bigint, discount::bigint, total from interlock.orders where id = (select id from first_order)',
  $$values ('7c000000-0000-4000-8000-000000000001'::uuid, 'confirmed', 3897::bigint, 0::bigint, 3897::bigint)$$,
  'the order is stored'
);
select results_eq(
  'select product_id::text, quantity::int, unit_price::bigint, name from interlock.order_items where order_id = (select id from first_order)',
  $$values (pg_temp.p(1), 3, 1299::bigint, 'tap oil')$$,
  'with its lines'
);
select results_eq(
  'select delta::int, balance_after::int, reason::text, actor from interlock.stock_movements where reference_id = (select id from first_order)',
  $$values (-3, 2, 'checkout', '7c000000-0000-4000-8000-000000000001'::uuid)$$,
  'the ledger says which order took the stock, and who'
);
select results_eq(
  'select event::text, actor from interlock.order_events where order_id = (select id from first_order)',
  $$values ('confirmed', '7c000000-0000-4000-8000-000000000001'::uuid)$$,
  'the order has its history'
);

select is(
  pg_temp.call('ann', pg_temp.cart(2, 3, 1, 1, 2, 4))::jsonb #> '{order,items}',
  jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(1), 'name', 'tap oil', 'quantity', 1, 'unit_price', 1299, 'discount', 0, 'tax', 0, 'total', 1299),
    jsonb_build_object('product_id', pg_temp.p(2), 'name', 'tap beans', 'quantity', 7, 'unit_price', 899, 'discount', 0, 'tax', 0, 'total', 6293)
  ),
  'lines of one product are summed'
);
select is(pg_temp.stock(2), 93, 'and taken together');

-- Refusals: an error, and nothing changed ---------------------------------

create temporary table before_refusals as select pg_temp.fingerprint() as fingerprint;

select is(pg_temp.call('nameless', pg_temp.cart(1, 1))::jsonb ->> 'message', 'UNAUTHENTICATED', 'nobody is signed in');
select is(
  pg_temp.call('ann', pg_temp.cart(9, 1, 2, 1, 4, 1, 8, 1))::jsonb,
  pg_temp.refusal('PT404', 'PRODUCT_NOT_FOUND', jsonb_build_object(
    'product_ids', jsonb_build_array(pg_temp.p(4), pg_temp.p(8), pg_temp.p(9))
  )),
  'all products that are unknown or inactive are told together'
);
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1, 3, 1))::jsonb,
  pg_temp.refusal('PT422', 'MIXED_CURRENCIES', '{"currencies": ["EUR", "USD"]}'),
  'two currencies in one cart'
);
select is(
  pg_temp.call('ann', pg_temp.cart(1, 2, 2, 94, 6, 1, 5, 4))::jsonb,
  pg_temp.refusal('PT409', 'INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(1), 'requested', 2, 'available', 1),
    jsonb_build_object('product_id', pg_temp.p(2), 'requested', 94, 'available', 93),
    jsonb_build_object('product_id', pg_temp.p(5), 'requested', 4, 'available', 3)
  ))),
  'all shortages are told together, digital ones too'
);
select is(
  pg_temp.call('ann', pg_temp.cart(1, 1, 1, 1))::jsonb #> '{detail,shortages,0,requested}',
  '2',
  'a shortage counts the lines of one product together'
);

select is(
  pg_temp.call('ann', t.cart::jsonb)::jsonb,
  pg_temp.refusal('PT400', 'VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
    jsonb_build_object('pointer', t.pointer, 'message', t.message)
  ))),
  format('cart_items %s: %s', left(t.cart, 80), t.pointer)
)
from (
  select replace(v.cart, 'P', '"7d000000-0000-4000-8000-000000000002"') as cart, v.pointer, v.message
  from (values
    (null, '/cart_items', 'must be an array of 1 to 100 lines'),
    ('null', '/cart_items', 'must be an array of 1 to 100 lines'),
    ('{}', '/cart_items', 'must be an array of 1 to 100 lines'),
    ('"x"', '/cart_items', 'must be an array of 1 to 100 lines'),
    ('[]', '/cart_items', 'must have 1 to 100 lines'),
    ('[1]', '/cart_items/0', 'must be an object with product_id and quantity'),
    ('[null]', '/cart_items/0', 'must be an object with product_id and quantity'),
    ('[[]]', '/cart_items/0', 'must be an object with product_id and quantity'),
    ('[{"product_id": P}]', '/cart_items/0/quantity', 'must be an integer from 1 to 10000'),
    ('[{"product_id": P, "quantity": 0}]', '/cart_items/0/quantity', 'must be an integer from 1 to 10000'),
    ('[{"product_id": P, "quantity": -1}]', '/cart_items/0/quantity', 'must be an integer from 1 to 10000'),
    ('[{"product_id": P, "quantity": 1.5}]', '/cart_items/0/quantity', 'must be an integer from 1 to 10000'),
    ('[{"product_id": P, "quantity": 10001}]', '/cart_items/0/quantity', 'must be an integer from 1 to 10000'),
    ('[{"product_id": P, "quantity": 1e300}]', '/cart_items/0/quantity', 'must be an integer from 1 to 10000'),
    ('[{"product_id": P, "quantity": "1"}]', '/cart_items/0/quantity', 'must be an integer from 1 to 10000'),
    ('[{"product_id": P, "quantity": null}]', '/cart_items/0/quantity', 'must be an integer from 1 to 10000'),
    ('[{"product_id": P, "quantity": true}]', '/cart_items/0/quantity', 'must be an integer from 1 to 10000'),
    ('[{"product_id": P, "quantity": 1}, {"quantity": 1}]', '/cart_items/1/product_id', 'must be a UUID'),
    ('[{"product_id": "x", "quantity": 1}]', '/cart_items/0/product_id', 'must be a UUID'),
    ('[{"product_id": 1, "quantity": 1}]', '/cart_items/0/product_id', 'must be a UUID'),
    ('[{"product_id": "7d000000-0000-4000-8000-00000000000g", "quantity": 1}]', '/cart_items/0/product_id', 'must be a UUID'),
    ('[{"product_id": "7d000000-0000-4000-80000000-00000002", "quantity": 1}]', '/cart_items/0/product_id', 'must be a UUID'),
    ('[{"product_id": P, "quantity": 1, "price": 1}]', '/cart_items/0/price', 'is not a known field'),
    ('[{"product_id": P, "quantity": 1, "a/b~c": 1}]', '/cart_items/0/a~1b~0c', 'is not a known field')
  ) as v (cart, pointer, message)
) t;
select is(
  pg_temp.call('ann', (select jsonb_agg(jsonb_build_object('product_id', pg_temp.p(2), 'quantity', 1)) from generate_series(1, 101)))::jsonb
    #> '{detail,problems,0,pointer}',
  '"/cart_items"',
  '101 lines are too many'
);
select is(
  (
    select jsonb_agg(p ->> 'pointer')
    from jsonb_array_elements(
      pg_temp.call(
        'ann', '[{"product_id": "x", "quantity": 0, "price": 1}, 7]', 'bitcoin', 'caf' || chr(233), repeat('x', 65)
      )::jsonb #> '{detail,problems}'
    ) p
  ),
  '["/cart_items/0/price", "/cart_items/0/product_id", "/cart_items/0/quantity", "/cart_items/1", "/promo_code", "/payment_method", "/headers/idempotency-key"]',
  'all problems are told together'
);
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1), null, t.key)::jsonb #>> '{detail,problems,0,pointer}',
  '/headers/idempotency-key',
  t.what
)
from (values
  ('', 'an empty key'),
  (repeat('k', 256), 'a key of 256 characters'),
  ('a' || chr(10), 'a key with a line break')
) as t (key, what);
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1), 'wallet')::jsonb,
  pg_temp.refusal('PT402', 'INSUFFICIENT_FUNDS', '{"balance": 0, "amount": 899, "currency": "EUR"}'),
  'no wallet is an empty wallet'
);
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1), null, null, 'NO-SUCH-CODE')::jsonb ->> 'message',
  'PROMO_NOT_FOUND',
  'an unknown promo code'
);

select is(
  pg_temp.fingerprint(),
  (select fingerprint from before_refusals),
  'no refusal changed a row, a key included'
);

-- Wallets -----------------------------------------------------------------

create function pg_temp.top_up(p_args text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config('request.jwt.claims', '{"role": "service_role"}', true);
  set local role service_role;
  execute format('select public.top_up_wallet(%s)', p_args) into v_answer;
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('message', sqlerrm, 'detail', nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}'));
end
$$;

select is(
  pg_temp.top_up($$'7c000000-0000-4000-8000-000000000001', 5000, 'EUR', '7f000000-0000-4000-8000-000000000001'$$),
  '{"success": true, "user_id": "7c000000-0000-4000-8000-000000000001", "balance": 5000, "currency": "EUR"}',
  'a top-up makes the wallet'
);
select is(
  pg_temp.top_up($$'7c000000-0000-4000-8000-000000000001', 5000, 'EUR', '7f000000-0000-4000-8000-000000000001'$$) -> 'balance',
  '5000',
  'the same reference counts once'
);
select is(
  pg_temp.top_up($$'7c000000-0000-4000-8000-000000000001', 1, 'EUR', '7f000000-0000-4000-8000-000000000001'$$) ->> 'message',
  'IDEMPOTENCY_KEY_REUSED',
  'another amount under the same reference is refused'
);
select is(pg_temp.top_up(t.arguments), t.answer::jsonb, 'a reference: ' || left(t.arguments, 80))
from (values
  ($$'7c000000-0000-4000-8000-000000000003', 1, 'EUR', 'pi_3Mt'$$,
    '{"success": true, "user_id": "7c000000-0000-4000-8000-000000000003", "balance": 1, "currency": "EUR"}'),
  ($$'7c000000-0000-4000-8000-000000000003', 1, 'EUR', 'pi_3Mt'$$,
    '{"success": true, "user_id": "7c000000-0000-4000-8000-000000000003", "balance": 1, "currency": "EUR"}'),
  ($$'7c000000-0000-4000-8000-000000000003', 1, 'EUR', 'PI_3MT'$$,
    '{"success": true, "user_id": "7c000000-0000-4000-8000-000000000003", "balance": 2, "currency": "EUR"}'),
  ($$'7c000000-0000-4000-8000-000000000002', 1, 'EUR', 'pi_3Mt'$$,
    '{"message": "IDEMPOTENCY_KEY_REUSED", "detail": {"reference": "pi_3Mt"}}'),
  ($$'7c000000-0000-4000-8000-000000000003', 1, 'USD', 'pi_3Mt'$$,
    '{"message": "IDEMPOTENCY_KEY_REUSED", "detail": {"reference": "pi_3Mt"}}'),
  ($$'7c000000-0000-4000-8000-000000000003', 1, 'USD', 'pi_4'$$,
    '{"message": "CURRENCY_MISMATCH", "detail": {"currency": "USD", "wallet_currency": "EUR"}}'),
  ($$'7c000000-0000-4000-8000-000000000003', 2, 'EUR', 'pi_5'$$,
    '{"success": true, "user_id": "7c000000-0000-4000-8000-000000000003", "balance": 4, "currency": "EUR"}'),
  ($$'7c000000-0000-4000-8000-000000000003', 1, 'EUR', 'pi_5'$$,
    '{"message": "IDEMPOTENCY_KEY_REUSED", "detail": {"reference": "pi_5"}}'),
  ($$'7c000000-0000-4000-8000-000000000003', 1, 'EUR', 'pi_4'$$,
    '{"success": true, "user_id": "7c000000-0000-4000-8000-000000000003", "balance": 5, "currency": "EUR"}')
) as t (arguments, answer);
select is(
  (
    select concat_ws(' ', m.reason, m.delta, m.reference, m.reference_id)
    from interlock.wallet_movements m
    where m.user_id = '7c000000-0000-4000-8000-000000000003'
    order by m.id desc
    limit 1
  ),
  'top_up 1 pi_4', 'the ledger has it'
);
update interlock.wallets set balance = balance + 1 where user_id = '7c000000-0000-4000-8000-000000000003';
select is(
  (
    select concat_ws(' ', m.reason, m.delta, m.reference)
    from interlock.wallet_movements m
    where m.user_id = '7c000000-0000-4000-8000-000000000003'
    order by m.id desc
    limit 1
  ),
  'correction 1', 'and what follows is no part of it'
);
select is(
  pg_temp.top_up(format('%L, 1, %L, %L', '7c000000-0000-4000-8000-000000000003', 'EUR', t.reference)) #>> '{detail,problems,0,pointer}',
  '/p_reference', 'no reference: ' || to_json(left(t.reference, 10))
)
from (values (''), (' '), (repeat('x', 201)), (E'pi\n1')) as t (reference);
select is(
  pg_temp.top_up($$'7c000000-0000-4000-8000-000000000001', 500, 'EUR'$$) -> 'balance',
  '5500',
  'without a reference each top-up counts'
);
select is(
  pg_temp.top_up($$'7c000000-0000-4000-8000-000000000001', 500, 'USD'$$),
  '{"message": "CURRENCY_MISMATCH", "detail": {"currency": "USD", "wallet_currency": "EUR"}}',
  'a wallet has one currency'
);
select is(
  pg_temp.top_up($$'7c000000-0000-4000-8000-00000000000f', 500, 'EUR'$$) ->> 'message',
  'USER_NOT_FOUND',
  'a wallet has a user'
);
select is(
  jsonb_array_length(pg_temp.top_up($$null, 0, 'eur'$$) #> '{detail,problems}'), 3, 'all problems are told together'
);
select is(pg_temp.balance('ann'), 5500::bigint, 'refusals change nothing');

insert into answers values ('wallet', pg_temp.call('ann', pg_temp.cart(2, 2, 5, 1), 'wallet'));
select is(
  (select (answer::jsonb #> '{order}') - 'id' - 'number' - 'items' - 'created_at' - 'paid_at' from answers where name = 'wallet'),
  jsonb_build_object(
    'status', 'paid', 'currency', 'EUR', 'subtotal', 4298, 'discount', 0, 'shipping_method', null, 'shipping', 0, 'shipping_tax', 0, 'tax', 0, 'tax_included', 0, 'total', 4298, 'payment_method', 'wallet',
    'cart_id', null, 'payment_expires_at', null, 'fulfillment', 'unfulfilled', 'shipped_at', null, 'tracking', null, 'fulfilled_at', null, 'cancelled_at', null, 'refunded_at', null,
    'codes', jsonb_build_array(jsonb_build_object('product_id', pg_temp.p(5), 'code', 'tap-gift-1'))
  ),
  'a wallet pays at once, and the codes are in the answer'
);
select is(pg_temp.balance('ann'), 1202::bigint, 'the wallet is debited');
select results_eq(
  $$
    select m.delta::bigint, m.balance_after, m.reason::text, m.reference_id
    from interlock.wallet_movements m
    where m.user_id = '7c000000-0000-4000-8000-000000000001'
    order by m.id desc
    limit 1
  $$,
  $$
    select -4298::bigint, 1202::bigint, 'checkout', (answer::jsonb #>> '{order,id}')::uuid
    from answers
    where name = 'wallet'
  $$,
  'and its ledger says for which order'
);

update before_refusals set fingerprint = pg_temp.fingerprint();
select is(
  pg_temp.call('ann', pg_temp.cart(2, 2), 'wallet')::jsonb,
  pg_temp.refusal('PT402', 'INSUFFICIENT_FUNDS', '{"balance": 1202, "amount": 1798, "currency": "EUR"}'),
  'not enough money'
);
select is(
  pg_temp.call('ann', pg_temp.cart(3, 1), 'wallet')::jsonb,
  pg_temp.refusal('PT422', 'CURRENCY_MISMATCH', '{"currency": "USD", "wallet_currency": "EUR"}'),
  'a wallet pays in its own currency only'
);
select is(pg_temp.fingerprint(), (select fingerprint from before_refusals), 'refusals change nothing');

select throws_ok(t.sql, t.state, null, t.sql)
from (values
  ($$update interlock.wallets set balance = -1$$, '23514'),
  ($$update interlock.wallets set currency = 'USD'$$, '23514'),
  ($$truncate interlock.wallets$$, '23001'),
  ($$update interlock.wallet_movements set delta = 1$$, '23001'),
  ($$delete from interlock.wallet_movements$$, '23001'),
  ($$update interlock.wallet_top_ups set amount = 1$$, '23001'),
  ($$delete from interlock.wallet_top_ups$$, '23001')
) as t (sql, state);
select is_empty('select * from interlock.wallet_differences', 'the wallet ledger adds up');

-- Other payment methods ---------------------------------------------------

insert into answers values ('transfer', pg_temp.call('bob', pg_temp.cart(5, 1), 'bank_transfer', null, null, '7f000000-0000-4000-8000-0000000000ca'));
select is(
  (select (answer::jsonb #> '{order}') - 'id' - 'number' - 'items' from answers where name = 'transfer'),
  jsonb_build_object(
    'status', 'pending_payment', 'currency', 'EUR', 'subtotal', 2500, 'discount', 0, 'shipping_method', null, 'shipping', 0, 'shipping_tax', 0, 'tax', 0, 'tax_included', 0, 'total', 2500,
    'payment_method', 'bank_transfer', 'cart_id', '7f000000-0000-4000-8000-0000000000ca',
    'created_at', to_jsonb(now() at time zone 'UTC') #>> '{}' || '+00:00',
    'payment_expires_at', to_jsonb((now() + interval '24 hours') at time zone 'UTC') #>> '{}' || '+00:00',
    'paid_at', null, 'fulfillment', 'unfulfilled', 'shipped_at', null, 'tracking', null, 'fulfilled_at', null, 'cancelled_at', null, 'refunded_at', null
  ),
  'a transfer waits a day for its payment, and shows no codes'
);
select is(pg_temp.stock(5), 1, 'but the code is reserved');
select is(
  pg_temp.call('bob', pg_temp.cart(5, 1))::jsonb #> '{order}' ? 'codes', false, 'cash on delivery shows no codes either'
);
select is(
  pg_temp.call('bob', pg_temp.cart(6, 1), t.method)::jsonb #>> '{order,status}', 'paid', 'nothing to pay is paid: ' || t.method
)
from (values ('wallet'), ('bank_transfer'), ('cash_on_delivery')) as t (method);

-- Promo codes -------------------------------------------------------------

insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses)
values ('7f000000-0000-4000-8000-0000000000bb', 'TAP-TEN', 'percentage', 10, 2);
insert into answers values ('promo', pg_temp.call('ann', pg_temp.cart(2, 1), 'wallet', null, 'tap-ten'));
select is(
  (select (answer::jsonb #> '{order}') - 'id' - 'items' - 'created_at' - 'paid_at' from answers where name = 'promo')
    @> '{"subtotal": 899, "discount": 90, "total": 809}',
  true,
  'a promo code lowers the total'
);
select is(pg_temp.balance('ann'), (1202 - 809)::bigint, 'and what the wallet pays');
select results_eq(
  $$select promo_code_id from interlock.orders where id = (select (answer::jsonb #>> '{order,id}')::uuid from answers where name = 'promo')$$,
  $$values ('7f000000-0000-4000-8000-0000000000bb'::uuid)$$,
  'the order knows its code'
);
update before_refusals set fingerprint = pg_temp.fingerprint();
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1), 'wallet', null, 'tap-ten')::jsonb ->> 'message',
  'INSUFFICIENT_FUNDS',
  'a refusal after the code was redeemed ...'
);
select is(pg_temp.fingerprint(), (select fingerprint from before_refusals), '... gives the use back');

-- Idempotency -------------------------------------------------------------

insert into answers values ('key', pg_temp.call('ann', pg_temp.cart(2, 1), null, 'key-1'));
select is(current_setting('response.headers'), '', 'a first answer is not marked as a replay');
update before_refusals set fingerprint = pg_temp.fingerprint();
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1), null, 'key-1'),
  (select answer from answers where name = 'key'),
  'the same key and cart: the same answer, byte for byte'
);
select is(
  current_setting('response.headers')::jsonb, '[{"Idempotent-Replayed": "true"}]', 'and the header says that it is a replay'
);
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1), 'cash_on_delivery', 'key-1'),
  (select answer from answers where name = 'key'),
  'the default method, given or not, is the same request'
);
update interlock.products set active = false where id = pg_temp.p(2)::uuid;
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1), null, 'key-1'),
  (select answer from answers where name = 'key'),
  'a product that is gone does not hide the stored answer'
);
update interlock.products set active = true where id = pg_temp.p(2)::uuid;
select is(
  pg_temp.call('ann', t.cart, t.method, 'key-1', t.promo, t.cart_id)::jsonb,
  pg_temp.refusal('PT422', 'IDEMPOTENCY_KEY_REUSED', '{"operation": "checkout"}'),
  'the same key, another ' || t.what
)
from (values
  (pg_temp.cart(2, 2), null, null, null::uuid, 'quantity'),
  (pg_temp.cart(2, 1), 'wallet', null, null, 'method'),
  (pg_temp.cart(2, 1), null, 'TAP-TEN', null, 'promo code'),
  (pg_temp.cart(2, 1), null, null, '7f000000-0000-4000-8000-0000000000ca', 'cart id'),
  (pg_temp.cart(1, 9), null, null, null, 'cart, even one that would be refused')
) as t (cart, method, promo, cart_id, what);
select is(pg_temp.fingerprint(), (select fingerprint from before_refusals), 'replays and refusals change nothing');
select isnt(
  pg_temp.call('bob', pg_temp.cart(2, 1), null, 'key-1'),
  (select answer from answers where name = 'key'),
  'the key of somebody else is another key'
);
select is(
  pg_temp.call('ann', pg_temp.cart(1, 2), null, 'key-2')::jsonb ->> 'message', 'INSUFFICIENT_INVENTORY', 'a failed attempt ...'
);
select is((select count(*)::int from interlock.idempotency_keys where key = 'key-2'), 0, '... stores nothing');
update interlock.products set available_quantity = 5 where id = pg_temp.p(1)::uuid;
select is(
  pg_temp.call('ann', pg_temp.cart(1, 2), null, 'key-2')::jsonb -> 'success', 'true', 'so the same request can succeed later'
);
select is(
  pg_temp.call('ann', pg_temp.cart(5, 1), 'wallet', repeat('~', 255))::jsonb ->> 'message',
  'INSUFFICIENT_INVENTORY',
  'a key of 255 characters is fine'
);
select is(
  (select expires_at - created_at from interlock.idempotency_keys where key = 'key-2'),
  interval '24 hours',
  'keys live for a day'
);

update interlock.idempotency_keys set expires_at = now() where key = 'key-2';
insert into answers values ('over', pg_temp.call('ann', pg_temp.cart(2, 1), null, 'key-2'));
select is(
  (select answer::jsonb -> 'success' from answers where name = 'over'), 'true', 'a key that is over can be used for something else'
);
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1), null, 'key-2'),
  (select answer from answers where name = 'over'),
  'and is replayed like any other'
);

update interlock.idempotency_keys set expires_at = now() where key = 'key-2';
update interlock.products set active = false where id = pg_temp.p(2)::uuid;
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1), null, 'key-2')::jsonb ->> 'message',
  'PRODUCT_NOT_FOUND',
  'a refusal does not look for the answer of a key that is over'
);
update interlock.products set active = true where id = pg_temp.p(2)::uuid;
update interlock.idempotency_keys set expires_at = now() + interval '1 day' where key = 'key-2';

do $$ begin perform interlock.purge_idempotency_keys(); end $$; -- what others have left
update interlock.idempotency_keys set expires_at = now() where key = 'key-1';
insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, expires_at)
values ('d0000000-0000-4000-8000-000000000001', 'checkout', 'tap-over', '\x00', '{}', now());
set local role service_role;
select is(interlock.purge_idempotency_keys(0), 0, 'no more keys are purged than one says');
select is(interlock.purge_idempotency_keys(1), 1, 'the rest is the next call''s');
select is(interlock.purge_idempotency_keys(null), 2, 'all that are over are purged in the end');
reset role;
select is(
  (select array_agg(key::text) from interlock.idempotency_keys where key in ('key-1', 'key-2', 'tap-over')), array['key-2'], 'and no others'
);
select throws_ok(
  $$update interlock.settings set idempotency_key_lifetime = '23 hours'$$, '23514', null, 'keys live at least a day'
);

-- An answer that is stored before its order is written is the answer that the order would give: for every way
-- to pay, for lines of one product, and also if nothing is to pay.
update interlock.wallets set balance = 10000;
insert into answers
select t.name, pg_temp.call('ann', t.cart, t.method, t.name)
from (values
  ('by cash', pg_temp.cart(2, 1, 6, 2, 2, 3), 'cash_on_delivery'),
  ('by transfer', pg_temp.cart(2, 2), 'bank_transfer'),
  ('by wallet', pg_temp.cart(2, 3), 'wallet'),
  ('for nothing', pg_temp.cart(6, 1), 'bank_transfer')
) as t (name, cart, method);
select is(
  a.answer::jsonb,
  (
    select jsonb_build_object('success', true, 'order', interlock.order_to_json(o.id))
    from interlock.orders o
    where o.id = (a.answer::jsonb #>> '{order,id}')::uuid
  ),
  'the answer is the order: ' || a.name
)
from answers a
where a.name like 'by %' or a.name = 'for nothing';
select is(
  k.response, a.answer, 'and is stored under the key: ' || k.key
)
from interlock.idempotency_keys k
join answers a on a.name = k.key;

insert into answers values ('with a code', pg_temp.call('ann', pg_temp.cart(2, 1), null, 'with a code', 'tap-ten'));
select is(
  pg_temp.call('ann', pg_temp.cart(2, 1), null, 'with a code', 'tap-ten'), answer, 'an answer with a discount is replayed, too'
)
from answers
where name = 'with a code' and answer::jsonb -> 'success' = 'true';

-- Accounts end, orders stay -----------------------------------------------

update interlock.orders set status = 'cancelled' where user_id = '7c000000-0000-4000-8000-000000000001' and interlock.is_owed_order(status);
update interlock.wallets set balance = 0 where user_id = '7c000000-0000-4000-8000-000000000001';
set constraints all deferred;
delete from auth.users where id = '7c000000-0000-4000-8000-000000000001';
select is((select user_id from interlock.orders where id = (select id from first_order)), null, 'an order outlives its buyer''s account');
select is(
  (select reason from interlock.wallet_movements where user_id = '7c000000-0000-4000-8000-000000000001' order by id desc limit 1),
  'correction',
  'the wallet was emptied before'
);

select is_empty('select * from interlock.stock_differences', 'the stock ledger adds up');
select is_empty('select * from interlock.wallet_differences', 'the wallet ledger adds up');
select is_empty('select * from interlock.code_differences', 'stock and free codes agree');

select * from finish();
rollback;
