-- Where the goods of an order are: who moves them, that they only go forward, and what may be cancelled when.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(87);

-- Limits of customers have a file of their own: 31-open-orders.sql.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

insert into auth.users (id, aud, role, email)
values
  ('7c320000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com'),
  ('7c320000-0000-4000-8000-000000000003', 'authenticated', 'authenticated', 'tap-staff@example.com');
create temporary table cast_of (name text primary key, role text, claims jsonb);
insert into cast_of
values
  ('ann', 'authenticated', '{"sub": "7c320000-0000-4000-8000-000000000001"}'),
  ('staff', 'authenticated', '{"sub": "7c320000-0000-4000-8000-000000000003", "app_metadata": {"role": "staff"}}'),
  ('shop', 'service_role', '{}');
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  ('7d320000-0000-4000-8000-000000000001', 'tap oil', 1000, 'EUR', 100, 'physical'),
  ('7d320000-0000-4000-8000-000000000003', 'tap gift', 2500, 'EUR', 0, 'digital');
insert into interlock.product_codes (product_id, code)
select '7d320000-0000-4000-8000-000000000003', 'tap-' || n from generate_series(1, 50) n;
insert into interlock.wallets (user_id, balance, currency) values ('7c320000-0000-4000-8000-000000000001', 1000000, 'EUR');
update interlock.orders set payment_expires_at = now() + interval '1 day' where status in ('pending_payment', 'confirmed');

-- Calls as somebody: the order's status and fulfillment, or the code of the error with those of its details.
create function pg_temp.call(p_who text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_who cast_of;
  v_answer jsonb;
  v_detail text;
begin
  select * into strict v_who from cast_of where name = p_who;
  perform set_config('request.jwt.claims', (jsonb_build_object('role', v_who.role) || v_who.claims)::text, true);
  execute format('set local role %I', v_who.role);
  execute format('select (%s)::jsonb', p_sql) into v_answer;
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('message', sqlerrm, 'detail', nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}'));
end
$$;

create temporary table memo (id uuid, answer jsonb, oil int, gifts int);
insert into memo values (null);

create function pg_temp.told(p_answer jsonb)
returns text
language sql
as $$
  select case
    when p_answer ? 'order' then concat_ws(' ', p_answer #>> '{order,status}', p_answer #>> '{order,fulfillment}')
    else concat_ws(' ', p_answer ->> 'message', p_answer #>> '{detail,status}', p_answer #>> '{detail,fulfillment}')
  end
$$;
-- What becomes of the order, in a word.
create function pg_temp.does(p_who text, p_what text, p_more text default '')
returns text
language sql
as $$
  select pg_temp.told(pg_temp.call(p_who, format('public.%I(%L%s)', p_what, id, p_more))) from memo
$$;

-- Ann buys 2 oil and a gift; the order is brought to this place by the shop.
create function pg_temp.order_at(p_method text, p_fulfillment text default 'unfulfilled')
returns void
language plpgsql
as $$
begin
  update memo set id = (pg_temp.call('ann', format(
    $sql$ public.checkout('[{"product_id": "7d320000-0000-4000-8000-000000000001", "quantity": 2},
      {"product_id": "7d320000-0000-4000-8000-000000000003", "quantity": 1}]', p_payment_method => %L) $sql$, p_method
  )) #>> '{order,id}')::uuid;
  if p_fulfillment = 'processing' then
    perform pg_temp.does('shop', 'process_order');
  elsif p_fulfillment = 'shipped' then
    perform pg_temp.does('shop', 'ship_order');
  end if;
  update memo
  set oil = (select available_quantity from interlock.products where id = '7d320000-0000-4000-8000-000000000001'),
      gifts = (select available_quantity from interlock.products where id = '7d320000-0000-4000-8000-000000000003');
end
$$;
-- Oil and gifts that came back since.
create function pg_temp.back()
returns text
language sql
as $$
  select concat_ws(' ',
    (select available_quantity from interlock.products where id = '7d320000-0000-4000-8000-000000000001') - oil,
    (select available_quantity from interlock.products where id = '7d320000-0000-4000-8000-000000000003') - gifts)
  from memo
$$;
create function pg_temp.history()
returns text
language sql
as $$
  select string_agg(concat_ws(' ', event, right(actor::text, 1), tracking), ', ' order by id)
  from interlock.order_events where order_id = (select id from memo)
$$;

-- An order's way ----------------------------------------------------------

select pg_temp.order_at('cash_on_delivery');
select is(pg_temp.does('ann', 'process_order'), 'FORBIDDEN', 'a buyer does not process');
select is(pg_temp.does('ann', 'ship_order'), 'FORBIDDEN', 'nor ship');
select is(pg_temp.does('staff', 'process_order'), 'confirmed processing', 'staff process an order in cash');
select is(pg_temp.does('shop', 'process_order'), 'confirmed processing', 'again: the same');
select is(pg_temp.does('staff', 'ship_order', $$, 'DHL 1'$$), 'confirmed shipped', 'and ship it');
update memo set answer = pg_temp.call('shop', format('public.ship_order(%L, ''DHL 1'')', id)) -> 'order';
select is(
  (select concat_ws(' ', answer ->> 'status', answer ->> 'fulfillment', answer ->> 'tracking', answer ->> 'shipped_at' is not null) from memo),
  'confirmed shipped DHL 1 t', 'again: the same, with when and under what'
);
select is(pg_temp.does('shop', 'ship_order'), 'confirmed shipped', 'again without the tracking number: the same');
select is((select tracking from interlock.orders join memo using (id)), 'DHL 1', 'and the parcel keeps its number');
select is(pg_temp.does('ann', 'ship_order', $$, 'DHL 2'$$), 'FORBIDDEN', 'a buyer corrects no tracking number');
select is(pg_temp.does('staff', 'ship_order', $$, 'DHL 2'$$), 'confirmed shipped', 'staff do');
select is(pg_temp.does('shop', 'process_order'), 'ORDER_STATE_CONFLICT confirmed shipped', 'what has left is not prepared');
select is((select tracking from interlock.orders join memo using (id)), 'DHL 2', 'the parcel has its new number');
select is(
  pg_temp.history(), 'confirmed 1, processing 3, shipped 3 DHL 1, tracking_changed 3 DHL 2', 'the history has each once, and who'
);
select is(
  (select codes.n from (select count(*)::int as n from interlock.product_codes c join memo m on m.id = c.order_id where c.used_at is not null) codes),
  0, 'the code of an unpaid order is not delivered'
);
select is(pg_temp.does('staff', 'fulfill_order'), 'fulfilled delivered', 'cash is paid at the door, and the order handed over');
select is(pg_temp.does('shop', 'fulfill_order'), 'fulfilled delivered', 'again: the same');
select is(pg_temp.history(), 'confirmed 1, processing 3, shipped 3 DHL 1, tracking_changed 3 DHL 2, paid 3, fulfilled 3',
  'it was paid, too');
select isnt((select paid_at from interlock.orders join memo using (id)), null, 'with the time');
select is(
  (select count(*)::int from interlock.product_codes c join memo m on m.id = c.order_id where c.used_at is not null), 1, 'and its code is delivered'
);
select is(pg_temp.does('shop', 'ship_order'), 'ORDER_STATE_CONFLICT fulfilled delivered', 'what was delivered is not shipped');
select is(pg_temp.does('shop', 'refund_order'), 'refunded delivered', 'it is refunded');
select is(pg_temp.back(), '0 0', 'and the goods are not on the shelf');

select pg_temp.order_at('cash_on_delivery');
select is(pg_temp.does('shop', 'fulfill_order'), 'fulfilled delivered', 'cash over the counter');
select pg_temp.order_at('wallet');
select is(pg_temp.does('shop', 'ship_order'), 'paid shipped', 'a paid order is shipped at once');
select is(pg_temp.does('shop', 'ship_order', $$, 'late'$$), 'paid shipped', 'and its number said later');
select is(pg_temp.does('shop', 'fulfill_order'), 'fulfilled delivered', 'and arrives');
select is(
  pg_temp.does('shop', 'ship_order', $$, 'too late'$$), 'ORDER_STATE_CONFLICT fulfilled delivered', 'then its number is what it was'
);
select is((select tracking from interlock.orders join memo using (id)), 'late', 'as said');
select pg_temp.order_at('cash_on_delivery', 'shipped');
select is(pg_temp.does('shop', 'accept_payment'), 'paid shipped', 'cash that comes before the parcel');
select is(pg_temp.does('shop', 'fulfill_order'), 'fulfilled delivered', 'and the parcel');

select pg_temp.order_at('bank_transfer');
select is(
  pg_temp.does('shop', t.what), 'ORDER_STATE_CONFLICT pending_payment' || t.goods, t.what || ': goods nobody has paid for stay'
)
from (values ('process_order', ' unfulfilled'), ('ship_order', ' unfulfilled'), ('fulfill_order', '')) as t (what, goods);
select is(pg_temp.told(pg_temp.call('shop', t.call)), t.told, t.call)
from (values
  ('public.process_order(gen_random_uuid())', 'ORDER_NOT_FOUND'),
  ('public.ship_order(gen_random_uuid())', 'ORDER_NOT_FOUND'),
  ('public.fulfill_order(gen_random_uuid())', 'ORDER_NOT_FOUND'),
  ('public.ship_order(gen_random_uuid(), '''')', 'VALIDATION_FAILED'),
  ('public.ship_order(gen_random_uuid(), repeat(''x'', 201))', 'VALIDATION_FAILED'),
  ('public.ship_order(gen_random_uuid(), repeat(''x'', 200))', 'ORDER_NOT_FOUND')
) as t (call, told);

-- Who may cancel when -----------------------------------------------------

create function pg_temp.cancelled(p_who text, p_method text, p_fulfillment text)
returns text
language plpgsql
as $$
begin
  perform pg_temp.order_at(p_method, p_fulfillment);
  return pg_temp.does(p_who, 'cancel_order') || ', ' || pg_temp.back();
end
$$;
select is(
  pg_temp.cancelled(t.who, t.method, t.goods), t.told, format('%s cancels what is %s (%s)', t.who, t.goods, t.method)
)
from (values
  ('ann', 'bank_transfer', 'unfulfilled', 'cancelled unfulfilled, 2 1'),
  ('ann', 'cash_on_delivery', 'unfulfilled', 'cancelled unfulfilled, 2 1'),
  ('ann', 'cash_on_delivery', 'processing', 'ORDER_NOT_CANCELLABLE confirmed processing, 0 0'),
  ('ann', 'cash_on_delivery', 'shipped', 'ORDER_NOT_CANCELLABLE confirmed shipped, 0 0'),
  ('ann', 'wallet', 'unfulfilled', 'ORDER_NOT_CANCELLABLE paid unfulfilled, 0 0'),
  ('staff', 'bank_transfer', 'unfulfilled', 'cancelled unfulfilled, 2 1'),
  ('staff', 'cash_on_delivery', 'unfulfilled', 'cancelled unfulfilled, 2 1'),
  ('staff', 'cash_on_delivery', 'processing', 'cancelled processing, 2 1'),
  -- The parcel came back, and is not on the shelf; a code that nobody has seen can be sold.
  ('staff', 'cash_on_delivery', 'shipped', 'cancelled shipped, 0 1'),
  -- The gift was seen.
  ('shop', 'wallet', 'unfulfilled', 'cancelled unfulfilled, 2 0'),
  ('shop', 'wallet', 'processing', 'cancelled processing, 2 0'),
  ('shop', 'wallet', 'shipped', 'ORDER_NOT_CANCELLABLE paid shipped, 0 0')
) as t (who, method, goods, told);
select is(pg_temp.does('shop', 'refund_order'), 'refunded shipped', 'what was paid and shipped is refunded');
select is(pg_temp.back(), '0 0', 'and the goods are not on the shelf');
select is(
  (select count(*)::int from interlock.wallet_movements where reference_id = (select id from memo) and delta = 4500), 1, 'the money comes back'
);
select pg_temp.order_at('wallet', 'processing');
select is(pg_temp.does('shop', 'refund_order'), 'refunded processing', 'what was being prepared is refunded');
select is(pg_temp.back(), '2 0', 'and is on the shelf again');
select is(pg_temp.does('shop', 'process_order'), 'ORDER_STATE_CONFLICT refunded processing', 'an order that has ended is not prepared');
select is(pg_temp.does('shop', 'ship_order'), 'ORDER_STATE_CONFLICT refunded processing', 'nor shipped');
select is(pg_temp.does('shop', 'cancel_order'), 'ORDER_NOT_CANCELLABLE refunded processing', 'nor cancelled');

-- The deadline of an order in cash ----------------------------------------

create temporary table due (goods text, id uuid);
create function pg_temp.due(p_fulfillment text)
returns void
language plpgsql
as $$
begin
  perform pg_temp.order_at('cash_on_delivery', p_fulfillment);
  update interlock.orders set payment_expires_at = now() - interval '1 minute' where id = (select id from memo);
  insert into due select p_fulfillment, id from memo;
end
$$;
select pg_temp.due(g) from unnest(array['processing', 'unfulfilled', 'shipped']) g;
select is(pg_temp.call('shop', 'public.expire_orders()'), '{"success": true, "expired": 1}', 'an order in cash expires');
select results_eq(
  'select d.goods, o.status::text from due d join interlock.orders o using (id) order by 1',
  $$values ('processing', 'confirmed'), ('shipped', 'confirmed'), ('unfulfilled', 'expired')$$,
  'while the shop has not gone on with it'
);

-- For everybody -----------------------------------------------------------

-- The change, or the constraint that refuses it.
create function pg_temp.try(p_method text, p_fulfillment text, p_change text)
returns text
language plpgsql
as $$
declare
  v_constraint text;
begin
  perform pg_temp.order_at(p_method, p_fulfillment);
  execute format('update interlock.orders set %s where id = (select id from memo)', p_change);
  return 'yes';
exception
  when check_violation then
    get stacked diagnostics v_constraint = constraint_name;
    return v_constraint;
end
$$;
select is(pg_temp.try(t.method, t.goods, t.change), t.told, format('%s, %s: %s', t.method, t.goods, t.change))
from (values
  ('cash_on_delivery', 'shipped', $$fulfillment = 'processing'$$, 'orders_fulfillment_allowed'),
  ('cash_on_delivery', 'shipped', $$fulfillment = 'unfulfilled', shipped_at = null$$, 'orders_fulfillment_allowed'),
  ('cash_on_delivery', 'processing', $$fulfillment = 'unfulfilled'$$, 'orders_fulfillment_allowed'),
  ('cash_on_delivery', 'processing', $$fulfillment = 'shipped'$$, 'yes'),
  ('wallet', 'unfulfilled', $$fulfillment = 'delivered'$$, 'orders_fulfillment_allowed'),
  ('wallet', 'shipped', $$fulfillment = 'delivered', fulfilled_at = now()$$, 'orders_fulfillment_allowed'),
  ('wallet', 'unfulfilled', $$status = 'cancelled', fulfillment = 'shipped'$$, 'orders_fulfillment_allowed'),
  ('wallet', 'unfulfilled', $$status = 'cancelled', fulfillment = 'processing'$$, 'orders_fulfillment_allowed'),
  ('bank_transfer', 'unfulfilled', $$fulfillment = 'processing'$$, 'orders_fulfillment_allowed'),
  ('bank_transfer', 'unfulfilled', $$fulfillment = 'shipped'$$, 'orders_fulfillment_allowed'),
  ('wallet', 'shipped', $$status = 'cancelled'$$, 'orders_transition_allowed'),
  ('cash_on_delivery', 'shipped', $$status = 'expired'$$, 'orders_transition_allowed'),
  ('cash_on_delivery', 'processing', $$status = 'expired'$$, 'orders_transition_allowed'),
  ('cash_on_delivery', 'unfulfilled', $$shipped_at = now()$$, 'orders_times_match_status'),
  ('cash_on_delivery', 'processing', $$shipped_at = now()$$, 'orders_times_match_status'),
  ('cash_on_delivery', 'shipped', $$shipped_at = null$$, 'orders_times_match_status'),
  ('cash_on_delivery', 'shipped', $$tracking = ''$$, 'label_length'),
  ('wallet', 'shipped', $$status = 'fulfilled'$$, 'yes')
) as t (method, goods, change, told);
select throws_ok(
  format(
    $$insert into interlock.orders (status, currency, subtotal, total, payment_method, fulfillment, payment_expires_at, paid_at, cancelled_at, shipped_at, fulfilled_at)
      values (%s)$$, t.row
  ), '23514', null, t.row
)
from (values
  ($$'pending_payment', 'EUR', 1, 1, 'bank_transfer', 'processing', now(), null, null, null, null$$),
  ($$'pending_payment', 'EUR', 1, 1, 'bank_transfer', 'shipped', now(), null, null, now(), null$$),
  ($$'expired', 'EUR', 1, 1, 'bank_transfer', 'processing', now(), null, now(), null, null$$),
  ($$'fulfilled', 'EUR', 1, 1, 'wallet', 'shipped', null, now(), null, now(), now()$$),
  ($$'paid', 'EUR', 1, 1, 'wallet', 'delivered', null, now(), null, null, null$$)
) as t (row);

select is_empty('select * from interlock.stock_differences', 'the stock ledger adds up');
select is_empty('select * from interlock.code_differences', 'stock and free codes agree');
select is_empty('select * from interlock.wallet_differences', 'the wallet ledger adds up');

select * from finish();
rollback;
