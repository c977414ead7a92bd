-- Carts that are reserved for some minutes before they are ordered.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(168);

select is(
  (select row(s.cart_reservation_window, s.cart_reservation_limit)::text from interlock.settings s),
  '(00:10:00,00:30:00)', 'ten minutes, and half an hour in all'
);
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null;

insert into auth.users (id, aud, role, email)
values
  ('7c390000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-reserve-ann@example.com'),
  ('7c390000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-reserve-bob@example.com'),
  ('7c390000-0000-4000-8000-000000000003', 'authenticated', 'authenticated', 'tap-reserve-eve@example.com');
insert into interlock.wallets (user_id, balance, currency) values ('7c390000-0000-4000-8000-000000000001', 100000, 'EUR');

create function pg_temp.p(p_letter text)
returns uuid
language sql
as $$ select ('7d390000-0000-4000-8000-00000000000' || p_letter)::uuid $$;
create function pg_temp.u(p_who text)
returns uuid
language sql
as $$ select ('7c390000-0000-4000-8000-00000000000' || case p_who when 'ann' then 1 when 'bob' then 2 when 'eve' then 3 else 9 end)::uuid $$;

insert into interlock.products (id, name, price, currency, available_quantity, stock_policy, backorder_limit)
values
  (pg_temp.p('a'), 'tap a', 100, 'EUR', 10, 'tracked', 0),
  (pg_temp.p('b'), 'tap b', 100, 'EUR', 10, 'tracked', 0),
  (pg_temp.p('c'), 'tap untracked', 100, 'EUR', 3, 'untracked', 0),
  (pg_temp.p('d'), 'tap backorder', 100, 'EUR', 1, 'backorder', 4);
insert into interlock.products (id, name, price, currency, kind) values (pg_temp.p('e'), 'tap digital', 100, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code) values (pg_temp.p('e'), 'tap 39');

-- What somebody calls; the answer, or code and details of the error.
create function pg_temp.call(p_who text, p_call text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  if p_who = 'shop' then
    perform set_config('request.jwt.claims', '{"role": "service_role"}', true);
    set local role service_role;
  else
    perform set_config(
      'request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', pg_temp.u(p_who))::text, true
    );
    set local role authenticated;
  end if;
  execute 'select ' || p_call into v_answer;
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object(
      'code', case when sqlstate like 'PT%' then sqlerrm else sqlstate end,
      'details', nullif(v_detail, '')::jsonb - 'message'
    );
end
$$;
create function pg_temp.cart(p_cart jsonb)
returns text
language sql
as $$
  select quote_literal(jsonb_agg(jsonb_build_object('product_id', pg_temp.p(c.key), 'quantity', c.value)))
  from jsonb_each(p_cart) c
$$;
create function pg_temp.reserve(p_who text, p_cart jsonb)
returns jsonb
language sql
as $$ select pg_temp.call(p_who, format('public.reserve_cart(%s)', pg_temp.cart(p_cart))) $$;
create function pg_temp.id(p_who text)
returns uuid
language sql
as $$ select id from interlock.cart_reservations where user_id = pg_temp.u(p_who) $$;
-- Buys with the reservation of that customer, or without one.
create function pg_temp.buy(p_who text, p_cart jsonb, p_of text default null, p_more text default '')
returns jsonb
language sql
as $$
  select coalesce(a -> 'order', a)
  from pg_temp.call(p_who, format(
    'public.checkout(%s, p_reservation_id => %L %s)', pg_temp.cart(p_cart), case when p_of is not null then pg_temp.id(p_of) end, p_more
  )) a
$$;
create function pg_temp.stock(p_letters text)
returns int[]
language sql
as $$
  select array_agg(available_quantity - backordered order by n)
  from regexp_split_to_table(p_letters, '') with ordinality as l (letter, n)
  join interlock.products on id = pg_temp.p(letter)
$$;
-- What somebody has reserved, as {"a": 2}; null if nothing.
create function pg_temp.has(p_who text)
returns jsonb
language sql
as $$
  select jsonb_object_agg(right(l.product_id::text, 1), l.quantity)
  from interlock.cart_reservation_lines l
  where l.user_id = pg_temp.u(p_who)
$$;
create function pg_temp.later(p_who text, p_by interval)
returns void
language sql
as $$
  update interlock.cart_reservations
  set reserved_since = reserved_since - p_by, expires_at = expires_at - p_by
  where user_id = pg_temp.u(p_who)
$$;
create function pg_temp.moved(p_id uuid)
returns text[]
language sql
as $$
  select array_agg(format('%s %s %s', right(product_id::text, 1), reason, delta) order by product_id, id)
  from interlock.stock_movements where reference_id = p_id
$$;
create temporary table ids (name text, id uuid);

-- A cart is reserved -------------------------------------------------------------

select is(
  pg_temp.reserve('ann', '{"a": 2, "b": 1}') #> '{reservation,items}',
  jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p('a'), 'quantity', 2), jsonb_build_object('product_id', pg_temp.p('b'), 'quantity', 1)
  ), 'what is reserved is answered'
);
insert into ids values ('first', pg_temp.id('ann'));
select is(pg_temp.stock('ab'), '{8,9}', 'and is not on the shelf');
select is(pg_temp.has('ann'), '{"a": 2, "b": 1}', 'but in the reservation');
select is(
  (select row(expires_at - interlock.clock(), counted_units)::text from interlock.cart_reservations where user_id = pg_temp.u('ann')),
  '(00:10:00,)', 'for ten minutes'
);
select is(pg_temp.moved(pg_temp.id('ann')), '{a cart_reserved -2,b cart_reserved -1}', 'the ledger has it');
select is_empty('select * from interlock.stock_differences', 'and is right');
select pg_temp.later('ann', '4 minutes');
select is(pg_temp.reserve('ann', '{"b": 1, "a": 2}') #>> '{reservation,id}', (select id::text from ids), 'the same cart again is the same reservation');
select is((select expires_at - interlock.clock() from interlock.cart_reservations where user_id = pg_temp.u('ann')), '10 minutes', 'for ten minutes from now on');
select is(cardinality(pg_temp.moved(pg_temp.id('ann'))), 2, 'without touching the stock');
select is(pg_temp.reserve('ann', '{"a": 5}') #>> '{reservation,id}', (select id::text from ids), 'another cart takes its place');
select is(pg_temp.stock('ab'), '{5,10}', 'just that');
select is(pg_temp.has('ann'), '{"a": 5}', 'and nothing of the former');
select is(pg_temp.reserve('ann', '{"a": 5, "b": 1}') ->> 'success', 'true', 'with more in it');
select is(pg_temp.stock('ab'), '{5,9}', 'just that, too');
select is(
  pg_temp.reserve('ann', '{"a": 11, "b": 2}') #> '{details,shortages}',
  jsonb_build_array(jsonb_build_object('product_id', pg_temp.p('a'), 'requested', 11, 'available', 10)),
  'more than there is, one''s own included, is refused'
);
select is(array[pg_temp.has('ann')], array['{"a": 5, "b": 1}'::jsonb], 'and what one had stays');
select is(pg_temp.buy('bob', '{"a": 6}') ->> 'code', 'INSUFFICIENT_INVENTORY', 'what is reserved is nobody else''s');
select is(pg_temp.buy('bob', '{"a": 6}', 'ann') ->> 'code', 'INSUFFICIENT_INVENTORY', 'nor for who names it');
select is(pg_temp.buy('bob', '{"a": 1}', 'ann') ->> 'status', 'confirmed', 'who names what is not theirs buys from the shelf');
select is(pg_temp.has('ann'), '{"a": 5, "b": 1}', 'and not from it');
select is(pg_temp.call('ann', 'public.release_cart()'), '{"success": true, "released": true}', 'it is released');
select is(pg_temp.stock('ab'), '{9,10}', 'and all of it is back');
select is(pg_temp.call('ann', 'public.release_cart()'), '{"success": true, "released": false}', 'once');
select is(pg_temp.call('eve', 'public.release_cart()'), '{"success": true, "released": false}', 'who never had one has none');
select is(pg_temp.stock('ab'), '{9,10}', 'nothing more is back');
select isnt(pg_temp.reserve('ann', '{"a": 1}') #>> '{reservation,id}', (select id::text from ids), 'the next one is another one');
select is(pg_temp.reserve('bob', '{"b": 1}') ->> 'success', 'true', 'somebody else has their own');
set local role authenticated;
select set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', '7c390000-0000-4000-8000-000000000002')::text, true);
select results_eq(
  'select r.user_id, l.product_id, l.quantity::int from public.cart_reservations r join public.cart_reservation_lines l using (user_id)',
  $$values ('7c390000-0000-4000-8000-000000000002'::uuid, '7d390000-0000-4000-8000-00000000000b'::uuid, 1)$$, 'which is what they see'
);
reset role;

-- Ordered -----------------------------------------------------------------------

select is(pg_temp.reserve('ann', '{"a": 9, "b": 2}') ->> 'success', 'true', 'the last of a');
insert into ids values ('redeemed', pg_temp.id('ann'));
select is(pg_temp.buy('ann', '{"a": 10}', 'ann') #> '{details,shortages,0}', jsonb_build_object('product_id', pg_temp.p('a'), 'requested', 10, 'available', 9), 'more than is reserved and there is not sold');
select is(pg_temp.buy('ann', '{"a": 9}') ->> 'code', 'INSUFFICIENT_INVENTORY', 'nor is what is reserved without its name');
select is(pg_temp.buy('ann', '{"a": 9}', 'ann', ', p_expected_total => 1') ->> 'code', 'PRICE_CHANGED', 'a checkout that fails');
select is(pg_temp.buy('ann', '{"a": 9}', 'ann', ', p_promo_code => ''none such''') ->> 'code', 'PT404', 'or is answered without an order');
select is(pg_temp.has('ann'), '{"a": 9, "b": 2}', 'leaves it as it is');
select is(pg_temp.buy('ann', '{"a": 8, "b": 3}', 'ann', ', p_idempotency_key => ''reserved''') ->> 'status', 'confirmed', 'less of one and more of the other');
select is(pg_temp.stock('ab'), '{1,6}', 'is sold exactly, and the rest is back');
select is(pg_temp.has('ann'), null, 'nothing is reserved any more');
select is(
  pg_temp.moved((select id from ids where name = 'redeemed')),
  '{a cart_reserved -1,a cart_released 1,a cart_reserved -9,a cart_redeemed 9,b cart_reserved -2,b cart_redeemed 2}', 'the ledger has all of it'
);
select is(
  pg_temp.moved((select id from interlock.orders where user_id = pg_temp.u('ann'))), '{a checkout -8,b checkout -3}', 'and the order''s units are the order''s'
);
select is(pg_temp.buy('ann', '{"a": 8, "b": 3}', 'ann', ', p_idempotency_key => ''reserved''') ->> 'subtotal', '1100', 'a repetition is answered');
select is(pg_temp.stock('ab'), '{1,6}', 'and sells nothing');
select is_empty('select * from interlock.stock_differences', 'the books are equal');
select is(pg_temp.buy('ann', '{"a": 1}', 'ann') ->> 'status', 'confirmed', 'one that has ended is as none');
select is((select count(*)::int from interlock.cart_reservations where user_id = pg_temp.u('ann')), 0, 'who has bought begins anew');
select is(pg_temp.reserve('ann', '{"b": 5}') ->> 'success', 'true', 'paid from the wallet');
select is(pg_temp.buy('ann', '{"b": 5}', 'ann', ', p_payment_method => ''wallet''') ->> 'status', 'paid', 'the same');
select is(pg_temp.stock('ab'), '{0,1}', 'once');

-- In time -------------------------------------------------------------------------

select is(pg_temp.call('bob', 'public.release_cart()') ->> 'released', 'true', 'bob gives back');
update interlock.products set available_quantity = 10 where id in (pg_temp.p('a'), pg_temp.p('b'));
delete from interlock.cart_reservations;
select is(pg_temp.reserve('ann', '{"a": 1}') #>> '{reservation,extendable_until}', to_jsonb(interlock.clock() at time zone 'UTC' + interval '30 minutes') #>> '{}' || '+00:00', 'half an hour at most');
select pg_temp.later('ann', '25 minutes');
select is(pg_temp.call('shop', 'public.expire_cart_reservations()'), '{"success": true, "expired": 1}', 'what is over');
select is(pg_temp.stock('a'), '{10}', 'is back');
select is(pg_temp.call('shop', 'public.expire_cart_reservations()'), '{"success": true, "expired": 0}', 'once');
select is((pg_temp.moved(pg_temp.id('ann')))[2], 'a cart_expired 1', 'and the ledger says why');
select is(pg_temp.reserve('ann', '{"a": 2}') ->> 'success', 'true', 'the time goes on with the next one');
select is((select expires_at - interlock.clock() from interlock.cart_reservations where user_id = pg_temp.u('ann')), '5 minutes', 'for what is left of it');
select pg_temp.later('ann', '5 minutes');
select is(
  pg_temp.reserve('ann', '{"a": 2}') - 'details', '{"code": "RESERVATION_LIMIT"}', 'then there is none'
);
select is(pg_temp.has('ann'), '{"a": 2}', 'what is over and not swept');
select is(pg_temp.buy('ann', '{"a": 10}', 'ann') ->> 'status', 'confirmed', 'can still be bought');
update interlock.products set available_quantity = 10 where id = pg_temp.p('a');
select is(pg_temp.reserve('ann', '{"a": 2}') ->> 'success', 'true', 'and then begins anew');
select is(pg_temp.call('ann', 'public.release_cart()') ->> 'released', 'true', 'a release');
select pg_temp.later('ann', '30 minutes');
select is(pg_temp.reserve('ann', '{"a": 2}') -> 'details' ->> 'again_at', to_jsonb(interlock.clock() at time zone 'UTC' + interval '30 minutes') #>> '{}' || '+00:00', 'does not begin anew');
select is(pg_temp.call('shop', 'public.expire_cart_reservations()') ->> 'expired', '0', 'so the row stays');
select pg_temp.later('ann', '29 minutes 59 seconds');
select is(pg_temp.reserve('ann', '{"a": 2}') ->> 'code', 'RESERVATION_LIMIT', 'for as long again');
select pg_temp.later('ann', '1 second');
select is(pg_temp.reserve('ann', '{"a": 2}') ->> 'success', 'true', 'then there may be one');
select is((select expires_at - interlock.clock() from interlock.cart_reservations where user_id = pg_temp.u('ann')), '10 minutes', 'as at first');
select is(pg_temp.call('ann', 'public.release_cart()') ->> 'released', 'true', 'released');
select pg_temp.later('ann', '1 hour');
select is(pg_temp.call('shop', 'public.expire_cart_reservations()') ->> 'expired', '1', 'who may reserve in any case is forgotten');
select is_empty('select from interlock.cart_reservations where user_id = pg_temp.u(''ann'')', 'all of it');
select is(pg_temp.call('shop', 'public.expire_cart_reservations(0)') ->> 'expired', '0', 'none is none');

-- Several that are due, as many as are asked for.
select is(pg_temp.reserve(w, '{"a": 1}') ->> 'success', 'true', w || ' reserves') from unnest(array['ann', 'bob', 'eve']) w;
select pg_temp.later(w, '11 minutes') from unnest(array['ann', 'bob']) w;
select is(pg_temp.call('shop', 'public.expire_cart_reservations(1)') ->> 'expired', '1', 'one');
select is(pg_temp.call('shop', 'public.expire_cart_reservations(9)') ->> 'expired', '1', 'the other');
select is(pg_temp.has('eve'), '{"a": 1}', 'and not what has time left');
select is((select count(*)::int from interlock.jobs() j where j.name = 'expire-cart-reservations' and j.command like '%interlock.expire_cart_reservations(100)%'), 1, 'it is a job');
select is(pg_temp.call('eve', 'public.release_cart()') ->> 'released', 'true', 'eve gives back');
delete from interlock.cart_reservations;

-- One that has ended does not stand for the next.
select is(pg_temp.reserve('ann', '{"a": 1}') ->> 'success', 'true', 'one');
insert into ids values ('former', pg_temp.id('ann'));
select is(pg_temp.call('ann', 'public.release_cart()') ->> 'released', 'true', 'that ends');
select is(pg_temp.reserve('ann', '{"a": 3}') ->> 'success', 'true', 'and another');
select is(
  pg_temp.call('ann', format(
    'public.checkout(%s, p_reservation_id => %L)', pg_temp.cart('{"a": 1}'), (select id from ids where name = 'former')
  )) #>> '{order,status}', 'confirmed', 'bought under the former''s name'
);
select is(pg_temp.has('ann'), '{"a": 3}', 'which is not the other''s');
select is(pg_temp.call('ann', 'public.release_cart()') ->> 'released', 'true', 'that one stays until it is released');
update interlock.products set available_quantity = 10 where id = pg_temp.p('a');
delete from interlock.cart_reservations;

-- One that cannot end does not hold up others.
select is(pg_temp.reserve('ann', '{"a": 1}') ->> 'success', 'true', 'of a product without room');
select is(pg_temp.reserve('bob', '{"b": 1}') ->> 'success', 'true', 'and of another');
update interlock.products set available_quantity = 1000000000 where id = pg_temp.p('a');
select pg_temp.later(w, '11 minutes') from unnest(array['ann', 'bob']) w;
select is(pg_temp.call('shop', 'public.expire_cart_reservations()') ->> 'expired', '1', 'one ends');
select is(pg_temp.has('ann'), '{"a": 1}', 'the other stays as it is');
select is(pg_temp.call('ann', 'public.release_cart()') ->> 'code', 'STOCK_LIMIT_EXCEEDED', 'and says why');
select pg_temp.later('ann', '1 hour');
select is(pg_temp.call('shop', 'public.expire_cart_reservations()') ->> 'expired', '0', 'nor is it forgotten, however long it lasts');
update interlock.products set available_quantity = 10 where id = pg_temp.p('a');
select is(pg_temp.call('shop', 'public.expire_cart_reservations()') ->> 'expired', '2', 'until there is room: then it ends, and is');
select is(pg_temp.stock('a'), '{11}', 'with what it had');
update interlock.products set available_quantity = 10 where id = pg_temp.p('a');
delete from interlock.cart_reservations;

-- What cannot be reserved ------------------------------------------------------------

select is(pg_temp.reserve('ann', '{"a": 1, "e": 1}'), jsonb_build_object('code', 'PRODUCT_NOT_RESERVABLE', 'details', jsonb_build_object('product_ids', jsonb_build_array(pg_temp.p('e')))), 'a digital product');
select is(pg_temp.reserve('ann', '{"a": 1, "f": 1}'), jsonb_build_object('code', 'PRODUCT_NOT_FOUND', 'details', jsonb_build_object('product_ids', jsonb_build_array(pg_temp.p('f')))), 'one that is not there');
update interlock.products set active = false where id = pg_temp.p('a');
select is(pg_temp.reserve('ann', '{"a": 1}') ->> 'code', 'PRODUCT_NOT_FOUND', 'or not for sale');
update interlock.products set active = true where id = pg_temp.p('a');
select is(pg_temp.call('ann', 'public.reserve_cart(''[]'')') #>> '{details,problems,0,pointer}', '/cart_items', 'an empty cart');
select is(pg_temp.reserve('nobody', '{"a": 1}') ->> 'code', 'UNAUTHENTICATED', 'for nobody');
select is(pg_temp.call('nobody', 'public.release_cart()') ->> 'code', 'UNAUTHENTICATED', 'nor released');
select is(pg_temp.call('shop', format('public.reserve_cart(%s)', pg_temp.cart('{"a": 1}'))) ->> 'code', 'UNAUTHENTICATED', 'nor for the shop');
update interlock.products set max_per_order = 2, max_per_customer = 3 where id = pg_temp.p('a');
select is(pg_temp.reserve('ann', '{"a": 3}') ->> 'code', 'PRODUCT_ORDER_LIMIT', 'more than an order may have');
select is(pg_temp.reserve('eve', '{"a": 2}') ->> 'success', 'true', 'as many as one may have');
select is(pg_temp.buy('eve', '{"a": 2}', 'eve') ->> 'status', 'confirmed', 'and buy');
select is(pg_temp.reserve('eve', '{"a": 2}') ->> 'code', 'PRODUCT_CUSTOMER_LIMIT', 'but no more with what one has');
update interlock.products set max_per_order = null, max_per_customer = null, available_quantity = 10 where id = pg_temp.p('a');

-- Untracked and owed -----------------------------------------------------------------

select is(pg_temp.reserve('ann', '{"c": 9, "d": 3}') ->> 'success', 'true', 'what is not counted, and what is not there');
select is(pg_temp.stock('cd'), '{3,-2}', 'takes nothing of the one, and owes of the other');
select is(pg_temp.buy('bob', '{"d": 3}') #> '{details,shortages,0,available}', '2', 'the limit is one for all');
update interlock.products set stock_policy = 'tracked' where id = pg_temp.p('c');
select is(pg_temp.call('ann', 'public.release_cart()') ->> 'released', 'true', 'released');
select is(pg_temp.stock('cd'), '{3,1}', 'it makes no stock');
select is(pg_temp.reserve('ann', '{"c": 2, "d": 3}') ->> 'success', 'true', 'reserved as it is sold now');
select is(pg_temp.stock('cd'), '{1,-2}', 'both are taken');
update interlock.products set stock_policy = 'untracked' where id = pg_temp.p('c');
select is(pg_temp.reserve('ann', '{"c": 2, "d": 3}') ->> 'success', 'true', 'and once more');
select is(pg_temp.stock('cd'), '{3,-2}', 'it takes none');
select is((select array_agg(i -> 'backordered' order by i ->> 'product_id') from jsonb_array_elements(pg_temp.buy('ann', '{"c": 2, "d": 4}', 'ann') -> 'items') i), array[null, '3'::jsonb], 'the order owes what was not there');
select is(pg_temp.stock('cd'), '{3,-3}', 'and no more');
select is(pg_temp.reserve('ann', '{"c": 1}') ->> 'success', 'true', 'only what is not counted');
select is(pg_temp.buy('ann', '{"c": 1}', 'ann') ->> 'status', 'confirmed', 'is bought');
select is_empty('select from interlock.cart_reservations where user_id = pg_temp.u(''ann'')', 'and reserved no more');
select is_empty('select * from interlock.stock_differences', 'the books are equal');

-- Slots ------------------------------------------------------------------------------

update interlock.products set available_quantity = 40 where id = pg_temp.p('b');
select is(pg_temp.call('shop', format('public.set_stock_slots(%L, 2)', pg_temp.p('b'))) ->> 'success', 'true', 'a hot product');
select is(pg_temp.reserve('ann', '{"b": 5}') ->> 'success', 'true', 'is reserved');
select is((select available_quantity from public.get_stock(array[pg_temp.p('b')])), 35, 'from its stock');
select is(pg_temp.buy('ann', '{"b": 7}', 'ann') ->> 'status', 'confirmed', 'and bought');
select is((select available_quantity from public.get_stock(array[pg_temp.p('b')])), 33, 'exactly');
select is(pg_temp.reserve('ann', '{"b": 33}') ->> 'success', 'true', 'all of it');
select is(pg_temp.buy('bob', '{"b": 1}') ->> 'code', 'INSUFFICIENT_INVENTORY', 'so nothing is left');
select is(pg_temp.call('ann', 'public.release_cart()') ->> 'released', 'true', 'released');
select is((select available_quantity from public.get_stock(array[pg_temp.p('b')])), 33, 'exactly');
select is(pg_temp.call('shop', format('public.set_stock_slots(%L, 0)', pg_temp.p('b'))) ->> 'success', 'true', 'cold again');
select is_empty('select * from interlock.stock_differences', 'the books are equal');
delete from interlock.cart_reservations;

-- Units that nobody has paid for -------------------------------------------------------

update interlock.settings set max_open_orders_per_customer = 1, max_open_units_per_customer = 5;
delete from interlock.customer_open_orders;
create function pg_temp.open(p_who text)
returns int[]
language sql
as $$ select array[c.orders, c.units] from interlock.customer_open_orders c where c.user_id = pg_temp.u(p_who) $$;
insert into interlock.customer_open_orders (user_id) values (pg_temp.u('ann'));
select is(
  pg_temp.reserve('ann', '{"a": 6}') -> 'details',
  '{"open_orders": 0, "max_open_orders": null, "open_units": 0, "units": 6, "max_open_units": 5}', 'more than one may have open'
);
select is(pg_temp.reserve('ann', '{"a": 5}') ->> 'success', 'true', 'as much as one may');
select is(pg_temp.open('ann'), '{0,5}', 'counts as units of no order');
select is(pg_temp.reserve('ann', '{"a": 4}') ->> 'success', 'true', 'less');
select is(pg_temp.open('ann'), '{0,4}', 'counts less');
select is(pg_temp.buy('ann', '{"b": 2}') ->> 'code', 'TOO_MANY_OPEN_ORDERS', 'beside it there is room for one more');
select is(pg_temp.buy('ann', '{"a": 5}', 'ann') ->> 'status', 'confirmed', 'with it for all');
select is(pg_temp.open('ann'), '{1,5}', 'which the order counts then');
select is(pg_temp.reserve('ann', '{"a": 1}') ->> 'code', 'TOO_MANY_OPEN_ORDERS', 'and nothing more is reserved');
select is(pg_temp.open('ann'), '{1,5}', 'nor counted');
insert into interlock.customer_open_orders (user_id, orders) values (pg_temp.u('eve'), 1);
select is(pg_temp.reserve('eve', '{"a": 3}') ->> 'success', 'true', 'a limit of orders does not count reservations');
select is(pg_temp.open('eve'), '{1,3}', 'but units');
select is(pg_temp.call('eve', 'public.release_cart()') ->> 'released', 'true', 'released');
select is(pg_temp.open('eve'), '{1,0}', 'it counts no more');
select is(pg_temp.reserve('bob', '{"a": 2}') ->> 'success', 'true', 'another one');
update interlock.settings set max_open_units_per_customer = null;
select pg_temp.later('bob', '11 minutes');
select is(pg_temp.call('shop', 'public.expire_cart_reservations()') ->> 'expired', '1', 'expires');
select is(pg_temp.open('bob'), '{0,0}', 'and counts no more, limit or not');
select is(pg_temp.reserve('bob', '{"a": 2}') ->> 'success', 'true', 'without a limit');
select is(pg_temp.open('bob'), '{0,0}', 'nothing counts');

-- The account -----------------------------------------------------------------------

select is(pg_temp.call('shop', format('public.erase_user(%L)', pg_temp.u('bob'))) ->> 'code', 'USER_HAS_OBLIGATIONS', 'an order is owed, what is reserved is not');
select is(pg_temp.reserve('eve', '{"a": 1}') ->> 'success', 'true', 'somebody who reserves');
update interlock.orders set user_id = null, status = 'cancelled' where user_id = pg_temp.u('eve');
select is(pg_temp.stock('a'), '{4}', 'four are left');
select is(pg_temp.call('shop', format('public.erase_user(%L)', pg_temp.u('eve'))) ->> 'success', 'true', 'and is removed');
select is(pg_temp.stock('a'), '{5}', 'gives it back');
select is_empty('select from interlock.cart_reservations where user_id = pg_temp.u(''eve'')', 'nothing is left');

-- A guest who makes an account ----------------------------------------------------------

update interlock.settings set max_open_units_per_customer = 100, max_open_orders_per_customer = null;
insert into auth.users (id, aud, role, email, is_anonymous)
values (pg_temp.u('eve'), 'authenticated', 'authenticated', null, true);
select is(pg_temp.call('bob', 'public.release_cart()') ->> 'released', 'true', 'the account has nothing');
select is(pg_temp.reserve('eve', '{"a": 2}') ->> 'success', 'true', 'a guest reserves');
insert into ids values ('guest', pg_temp.id('eve'));
create temporary table before as select (pg_temp.open('bob'))[2] as units;
select is(interlock.move_guest(pg_temp.u('eve'), pg_temp.u('bob'), null) ->> 'success', 'true', 'and has an account');
select is(array[pg_temp.has('eve'), pg_temp.has('bob')], array[null, '{"a": 2}'::jsonb], 'whose the reservation is');
select is(pg_temp.id('bob'), (select id from ids where name = 'guest'), 'as it was');
select is((pg_temp.open('bob'))[2] - (select units from before), 2, 'and counts');
select is(pg_temp.reserve('eve', '{"a": 1, "b": 3}') ->> 'success', 'true', 'another guest');
select is(pg_temp.stock('a'), '{4}', 'four are left');
select is(interlock.move_guest(pg_temp.u('eve'), pg_temp.u('bob'), null) ->> 'success', 'true', 'of an account that has reserved itself');
select is(array[pg_temp.has('eve'), pg_temp.has('bob')], array[null, '{"a": 2}'::jsonb], 'has none any more');
select is(pg_temp.stock('a'), '{5}', 'and has given it back');
select is((pg_temp.open('eve'))[2], 0, 'so it counts no more');
select is(pg_temp.buy('bob', '{"a": 2}', 'bob') ->> 'status', 'confirmed', 'what has moved is bought');
select is_empty('select * from interlock.stock_differences', 'the books are equal');

select finish();
rollback;
