-- Goods that are promised and not paid for: ways of payment, limits of a customer, a deadline for the shop.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(63);

select is(
  (
    select row(s.max_open_orders_per_customer, s.max_open_units_per_customer, s.confirmation_window)::text
    from interlock.settings s
  ),
  '(5,100,"7 days")', 'a new shop has limits'
);
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

insert into auth.users (id, aud, role, email)
values
  ('7c310000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-open-ann@example.com'),
  ('7c310000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-open-bob@example.com');
insert into interlock.products (id, name, price, currency, available_quantity)
values
  ('7d310000-0000-4000-8000-00000000000a', 'tap oil', 100, 'EUR', 1000),
  ('7d310000-0000-4000-8000-00000000000b', 'tap flyer', 0, 'EUR', 1000);
insert into interlock.promo_codes (code, discount_type, discount_value) values ('TAPOPENALL', 'percentage', 100);
insert into interlock.wallets (user_id, balance, currency) values ('7c310000-0000-4000-8000-000000000001', 100000, 'EUR');

create function pg_temp.id(p_who text)
returns uuid
language sql
as $$
  select case p_who when 'ann' then '7c310000-0000-4000-8000-000000000001'
    else '7c310000-0000-4000-8000-000000000002' end::uuid
$$;

-- Buys units of the oil. The answer is the order, or code and details of the error.
create function pg_temp.buy(
  p_who text, p_units int, p_method text default null, p_promo text default null, p_product text default 'a',
  p_key text default null
)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config(
    'request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(p_who))::text, true
  );
  set local role authenticated;
  v_answer := public.checkout(
    jsonb_build_array(jsonb_build_object(
      'product_id', '7d310000-0000-4000-8000-00000000000' || p_product, 'quantity', p_units
    )),
    p_promo, null, p_method, p_key
  );
  reset role;
  return v_answer -> 'order';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', sqlerrm, 'details', nullif(v_detail, '')::jsonb - 'message');
end
$$;

create function pg_temp.shop(p_call text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  perform set_config('request.jwt.claims', '{"role": "service_role"}', true);
  set local role service_role;
  execute 'select ' || p_call into v_answer;
  reset role;
  return v_answer;
end
$$;

-- What counts of somebody: orders and units.
create function pg_temp.open(p_who text)
returns int[]
language sql
as $$
  select coalesce(
    (select array[c.orders, c.units] from interlock.customer_open_orders c where c.user_id = pg_temp.id(p_who)),
    '{0,0}'
  )
$$;

create function pg_temp.too_many(p_orders int, p_max_orders int, p_open int, p_units int, p_max_units int)
returns jsonb
language sql
as $$
  select jsonb_build_object('code', 'TOO_MANY_OPEN_ORDERS', 'details', jsonb_build_object(
    'open_orders', p_orders, 'max_open_orders', p_max_orders,
    'open_units', p_open, 'units', p_units, 'max_open_units', p_max_units
  ))
$$;

create temporary table orders_of (name text primary key, id uuid);
create function pg_temp.keep(p_name text, p_order jsonb)
returns text
language sql
as $$
  insert into orders_of values (p_name, (p_order ->> 'id')::uuid)
  on conflict (name) do update set id = excluded.id;
  select coalesce(p_order ->> 'status', p_order ->> 'code');
$$;
create function pg_temp.order_of(p_name text)
returns text
language sql
as $$
  select quote_literal(id) from orders_of where name = p_name
$$;

-- Without limits -----------------------------------------------------------

select results_eq(
  'select payment_methods, max_open_orders_per_customer, max_open_units_per_customer, confirmation_window from interlock.settings',
  $$values ('{wallet,bank_transfer,cash_on_delivery}'::text[], null::int, null::int, null::interval)$$,
  'without a word of the shop every way of payment is taken, and nothing is limited'
);
select is(pg_temp.keep('before', pg_temp.buy('ann', 3)), 'confirmed', 'an order without a limit');
select is(pg_temp.keep('ended before', pg_temp.buy('ann', 5)), 'confirmed', 'another one');
select is(pg_temp.keep('paid before', pg_temp.buy('ann', 7, 'wallet')), 'paid', 'and one that is paid');
select pg_temp.shop('public.cancel_order(' || pg_temp.order_of('ended before') || ')');
-- Nobody's orders, as the shop's own SQL may write them: one that counts, and one that does not.
insert into interlock.orders (id, status, currency, subtotal, total, payment_method, counted_units)
values
  ('70310000-0000-4000-8000-000000000001', 'confirmed', 'EUR', 100, 100, 'cash_on_delivery', 3),
  ('70310000-0000-4000-8000-000000000002', 'confirmed', 'EUR', 100, 100, 'cash_on_delivery', null);
insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
select o, '7d310000-0000-4000-8000-00000000000a', 1, 100, 'tap oil', 'physical'
from unnest(array['70310000-0000-4000-8000-000000000001', '70310000-0000-4000-8000-000000000002']::uuid[]) o;
select is_empty('select * from interlock.customer_open_orders where user_id = pg_temp.id(''ann'')', 'nothing is counted');

-- A limit of orders --------------------------------------------------------

update interlock.settings set max_open_orders_per_customer = 2;
select is(pg_temp.open('ann'), '{1,3}', 'with a limit what is open counts');
select is(pg_temp.open('bob'), '{0,0}', 'of each customer what is theirs');
select is(
  (select counted_units::int from interlock.orders where id = (select id from orders_of where name = 'paid before')), null,
  'and what is not open is left alone'
);
select is(
  (select counted_units::int from interlock.orders where id = '70310000-0000-4000-8000-000000000002'), null,
  'nor does an order count that is nobody''s'
);
select lives_ok(
  $$update interlock.orders set status = 'cancelled' where user_id is null and id::text like '70310000-%'$$, 'which may end'
);
select throws_ok(
  'update interlock.customer_open_orders set units = null', '23502', null, 'what is counted is a number'
);
update interlock.settings set max_open_orders_per_customer = 3;
update interlock.settings set max_open_orders_per_customer = 2;
select is(pg_temp.open('ann'), '{1,3}', 'once');
select is(pg_temp.keep('second', pg_temp.buy('ann', 10, 'bank_transfer')), 'pending_payment', 'up to the limit');
select is(pg_temp.open('ann'), '{2,13}', 'it counts');
select is(pg_temp.buy('ann', 2), pg_temp.too_many(2, 2, 13, 2, null), 'and no further');
select is(pg_temp.buy('ann', 2, 'bank_transfer') ->> 'code', 'TOO_MANY_OPEN_ORDERS', 'whatever it would wait for');
select is(pg_temp.keep('paid', pg_temp.buy('ann', 1, 'wallet')), 'paid', 'what is paid at once is not limited');
select is(pg_temp.buy('ann', 1, null, null, 'b') ->> 'status', 'paid', 'nor what costs nothing');
select is(pg_temp.open('ann'), '{2,13}', 'and does not count');
select is(pg_temp.keep('bob', pg_temp.buy('bob', 1)), 'confirmed', 'another customer is free to buy');
select is(
  pg_temp.buy('ann', 1, null, 'TAPOPENALL') ->> 'code', 'TOO_MANY_OPEN_ORDERS',
  'at the limit a code is not looked at that would take off all'
);
select pg_temp.shop('public.cancel_order(' || pg_temp.order_of('second') || ')');
select is(pg_temp.open('ann'), '{1,3}', 'an order that ends does not count any more');
select pg_temp.shop('public.cancel_order(' || pg_temp.order_of('second') || ')');
select is(pg_temp.open('ann'), '{1,3}', 'once');
select is(pg_temp.buy('ann', 1, null, 'TAPOPENALL') ->> 'status', 'paid', 'below the limit it is');
select is(pg_temp.open('ann'), '{1,3}', 'and does not count then');
select is(pg_temp.keep('second', pg_temp.buy('ann', 2, 'bank_transfer', null, 'a', 'key')), 'pending_payment', 'there is room again');
select is(
  pg_temp.buy('ann', 2, 'bank_transfer', null, 'a', 'key') ->> 'id', (select id::text from orders_of where name = 'second'),
  'a repeat of it is answered, not counted'
);
select pg_temp.shop('public.accept_payment(' || pg_temp.order_of('second') || ')');
select is(pg_temp.open('ann'), '{1,3}', 'a paid order does not count');
select pg_temp.shop('public.refund_order(' || pg_temp.order_of('second') || ')');
select is(pg_temp.open('ann'), '{1,3}', 'nor does its end');
update interlock.orders set status = 'cancelled'
where user_id in (pg_temp.id('ann'), pg_temp.id('bob')) and status = 'confirmed';
select is(pg_temp.open('ann') || pg_temp.open('bob'), '{0,0,0,0}', 'orders that end together, too');

-- A limit of units ---------------------------------------------------------

update interlock.settings set max_open_orders_per_customer = null, max_open_units_per_customer = 10;
select is(pg_temp.buy('ann', 11), pg_temp.too_many(0, null, 0, 11, 10), 'one order may be too much');
select is(pg_temp.buy('bob', 11, 'bank_transfer') ->> 'code', 'TOO_MANY_OPEN_ORDERS', 'of anybody');
select is(pg_temp.keep('most', pg_temp.buy('ann', 9)), 'confirmed', 'up to the limit');
select is(pg_temp.buy('ann', 2), pg_temp.too_many(1, null, 9, 2, 10), 'all orders together are');
select is(pg_temp.buy('ann', 1) ->> 'status', 'confirmed', 'the last unit');
select is(pg_temp.buy('bob', 11), pg_temp.too_many(0, null, 0, 11, 10), 'everybody is told of their own');
update interlock.settings set max_open_units_per_customer = 5;
select is(pg_temp.buy('ann', 1), pg_temp.too_many(2, null, 10, 1, 5), 'a lower limit takes nothing away');

-- Without one again, and back ------------------------------------------------

update interlock.settings set max_open_units_per_customer = null;
select is(pg_temp.keep('between', pg_temp.buy('ann', 100)), 'confirmed', 'without a limit there is none');
select is(pg_temp.open('ann'), '{2,10}', 'and nothing more is counted');
select pg_temp.shop('public.cancel_order(' || pg_temp.order_of('most') || ')');
select is(pg_temp.open('ann'), '{1,1}', 'but given back what was');
update interlock.settings set max_open_orders_per_customer = 2;
select is(pg_temp.open('ann'), '{2,101}', 'with a limit all that is open counts again');
select is(pg_temp.buy('ann', 1) ->> 'code', 'TOO_MANY_OPEN_ORDERS', 'and keeps the customer from more');
select throws_ok(
  $$delete from auth.users where id = pg_temp.id('ann'); set constraints all immediate$$,
  case when interlock.serves_shops() then '23503' else '23001' end, null, 'an account with open orders stays'
);
select is(pg_temp.open('ann'), '{2,101}', 'and they count');
update interlock.settings set max_open_orders_per_customer = null;
select pg_temp.shop('public.cancel_order(' || pg_temp.order_of('between') || ')');
select is(pg_temp.open('ann'), '{1,1}', 'until they end');

-- Ways of payment -----------------------------------------------------------

update interlock.settings set payment_methods = '{wallet,bank_transfer}';
select is(
  pg_temp.buy('bob', 1, t.method),
  '{"code": "PAYMENT_METHOD_NOT_ALLOWED",
    "details": {"payment_method": "cash_on_delivery", "allowed": ["wallet", "bank_transfer"]}}',
  'what the shop does not take is refused'
)
from (values ('cash_on_delivery'), (null)) as t (method);
select is(pg_temp.keep('transfer', pg_temp.buy('bob', 1, 'bank_transfer', null, 'a', 'transfer')), 'pending_payment', 'and what it takes is not');
update interlock.settings set payment_methods = '{wallet}';
select is(pg_temp.buy('bob', 1, 'bank_transfer', null, 'a', 'transfer') ->> 'status', 'pending_payment', 'a repeat is answered');
select throws_ok(
  $$update interlock.settings set payment_methods = $$ || t.methods, '23514', null, 'payment_methods cannot be ' || t.methods
)
from (values ($$'{}'$$), ($$'{gold}'$$), ($$'{wallet,null}'$$)) as t (methods);
update interlock.settings set payment_methods = '{wallet,bank_transfer,cash_on_delivery}';

-- A deadline for the shop ------------------------------------------------------

select is(pg_temp.keep('waits', pg_temp.buy('bob', 1)), 'confirmed', 'an order in cash');
update interlock.settings set confirmation_window = '2 days';
select is(
  (select payment_expires_at from interlock.orders where id = (select id from orders_of where name = 'waits')), null,
  'waits for ever, if it was placed without a deadline'
);
select is(
  (pg_temp.buy('bob', 1, null, null, 'b') ->> 'payment_expires_at'), null, 'what is paid has none'
);
create temporary table dated as select pg_temp.buy('bob', 4) as answer;
select is(
  (select (answer ->> 'payment_expires_at')::timestamptz - (answer ->> 'created_at')::timestamptz from dated),
  interval '2 days',
  'with one its answer says so'
);
select is(pg_temp.keep('due', answer), 'confirmed', 'it is confirmed') from dated;
select is(pg_temp.keep('also due', pg_temp.buy('bob', 1)), 'confirmed', 'so is another');
select is(pg_temp.shop('public.expire_orders()') -> 'expired', '0', 'before its time nothing expires');
update interlock.orders set payment_expires_at = now() - interval '1 second'
where id in (select id from orders_of where name in ('due', 'also due'));
select pg_temp.shop('public.accept_payment(' || pg_temp.order_of('also due') || ')');
create temporary table stock_before as
  select available_quantity as units from interlock.products where id = '7d310000-0000-4000-8000-00000000000a';
select is(pg_temp.shop('public.expire_orders()') -> 'expired', '1', 'at its time what the shop has left expires');
select is(
  (select available_quantity - (select units from stock_before) from interlock.products where id = '7d310000-0000-4000-8000-00000000000a'),
  4, 'and its goods are for sale again'
);
select is(
  (select array_agg(o.status::text order by n.name) from interlock.orders o join orders_of n on n.id = o.id
   where n.name in ('due', 'also due', 'waits')),
  '{paid,expired,confirmed}',
  'and nothing else'
);

select * from finish();
rollback;
