-- What a sale asks of the stock: it must be there (tracked), nothing (untracked), or what is missing is owed (backorder).

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(115);

update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null;

insert into auth.users (id, aud, role, email)
values ('7c370000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-policy@example.com');
insert into interlock.wallets (user_id, balance, currency) values ('7c370000-0000-4000-8000-000000000001', 100000, 'EUR');

create function pg_temp.p(p_letter text)
returns uuid
language sql
as $$ select ('7d370000-0000-4000-8000-00000000000' || p_letter)::uuid $$;

insert into interlock.products (id, name, price, currency, available_quantity, stock_policy, backorder_limit)
values
  (pg_temp.p('a'), 'tap tracked', 100, 'EUR', 5, 'tracked', 0),
  (pg_temp.p('b'), 'tap backorder', 100, 'EUR', 2, 'backorder', 4),
  (pg_temp.p('c'), 'tap untracked', 100, 'EUR', 3, 'untracked', 0);
insert into interlock.products (id, name, price, currency, kind)
values (pg_temp.p('d'), 'tap digital', 100, 'EUR', 'digital');
insert into interlock.product_codes (product_id, code) values (pg_temp.p('d'), 'tap 37 1'), (pg_temp.p('d'), 'tap 37 2');

-- Buys, each letter of the cart a product: {"a": 2}. The answer is the order, or code and details of the error.
create function pg_temp.buy(p_cart jsonb, p_method text default null, p_key text default null)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config(
    'request.jwt.claims', '{"role": "authenticated", "sub": "7c370000-0000-4000-8000-000000000001"}', true
  );
  set local role authenticated;
  v_answer := public.checkout(
    (
      select jsonb_agg(jsonb_build_object('product_id', '7d370000-0000-4000-8000-00000000000' || c.key, 'quantity', c.value))
      from jsonb_each(p_cart) c
    ),
    null, null, p_method, p_key
  );
  reset role;
  return v_answer -> 'order';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', sqlerrm, 'details', nullif(v_detail, '')::jsonb - 'message');
end
$$;

-- A call of the shop; the answer, or code and details of the error.
create function pg_temp.shop(p_call text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform set_config('request.jwt.claims', '{"role": "service_role"}', true);
  set local role service_role;
  execute 'select ' || p_call into v_answer;
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', sqlerrm, 'details', nullif(v_detail, '')::jsonb - 'message');
end
$$;

-- What is there and what is owed.
create function pg_temp.stock(p_letter text)
returns int[]
language sql
as $$ select array[available_quantity, backordered] from interlock.products where id = pg_temp.p(p_letter) $$;

create function pg_temp.line(p_order jsonb, p_letter text)
returns jsonb
language sql
as $$ select i from jsonb_array_elements(p_order -> 'items') i where i ->> 'product_id' = pg_temp.p(p_letter)::text $$;

create function pg_temp.end_of(p_order jsonb)
returns text
language sql
as $$ select pg_temp.shop(format('public.cancel_order(%L)', p_order ->> 'id')) #>> '{order,status}' $$;

create function pg_temp.expire(p_order jsonb)
returns text
language sql
as $$
  update interlock.orders set payment_expires_at = now() - interval '1 minute' where id = (p_order ->> 'id')::uuid;
  select pg_temp.shop('public.expire_orders(100)') ->> 'expired';
$$;

create temporary table kept (name text primary key, "order" jsonb);
create function pg_temp.keep(p_name text, p_order jsonb)
returns jsonb
language sql
as $$ insert into kept values (p_name, p_order) returning "order" $$;
create function pg_temp.kept(p_name text)
returns jsonb
language sql
as $$ select "order" from kept where name = p_name $$;

-- What policies there are ----------------------------------------------------

insert into interlock.products (id, name, price, currency) values (pg_temp.p('9'), 'tap plain', 100, 'EUR');
select is(
  (select row(stock_policy, backorder_limit, backordered)::text from interlock.products where id = pg_temp.p('9')),
  '(tracked,0,0)', 'a product is tracked unless it is said otherwise'
);
select throws_ok(
  $$update interlock.products set stock_policy = 'endless' where id = pg_temp.p('a')$$, '23514', null, 'no other policy'
);
select throws_ok(
  $$update interlock.products set backorder_limit = -1 where id = pg_temp.p('a')$$, '23514', null, 'no limit below zero'
);
select throws_ok(
  format('update interlock.products set stock_policy = %L where id = pg_temp.p(''d'')', policy), '23514', null,
  'a digital product is sold by its codes, not ' || policy
) from (values ('untracked'), ('backorder')) as t (policy);
select throws_ok(
  $$insert into interlock.products (name, price, currency, kind, stock_policy) values ('x', 1, 'EUR', 'digital', 'untracked')$$,
  '23514', null, 'nor is a new one'
);
select throws_ok(
  $$insert into interlock.products (name, price, currency, backordered) values ('x', 1, 'EUR', 1)$$,
  '23514', null, 'a new product owes nothing'
);
select lives_ok(
  $$update interlock.products set stock_policy = 'tracked' where id = pg_temp.p('d')$$, 'tracked is every product''s right'
);
select is(
  (select array_agg(row(s.available_quantity, s.stock_policy, s.backordered, s.orderable_quantity, s.state)::text order by s.product_id)
    from public.get_stock(array[pg_temp.p('a'), pg_temp.p('b'), pg_temp.p('c'), pg_temp.p('d')]) s),
  '{"(5,tracked,0,5,low)","(2,backorder,0,6,low)","(3,untracked,0,,in_stock)","(2,tracked,0,2,low)"}',
  'get_stock says what can be ordered, and what a badge shows'
);

-- Backorder --------------------------------------------------------------------

select is(pg_temp.line(pg_temp.buy('{"b": 1}'), 'b') ? 'backordered', false, 'what is there is sold as ever');
select is(pg_temp.stock('b'), '{1,0}', 'from the shelf');
select is(pg_temp.line(pg_temp.keep('beyond', pg_temp.buy('{"a": 1, "b": 3}', null, 'beyond')), 'b') -> 'backordered', '2', 'what is not there is owed, and the line says how much');
select is(pg_temp.line(pg_temp.kept('beyond'), 'a') ? 'backordered', false, 'of no other line');
select is(nullif(current_setting('interlock.reason', true), ''), null, 'and what is written next is no checkout');
select is(pg_temp.stock('b'), '{0,2}', 'the shelf is empty');
select is(pg_temp.buy('{"a": 1, "b": 3}', null, 'beyond'), pg_temp.kept('beyond'), 'a repetition is answered the same');
select is((select array_agg(backordered::int order by product_id) from interlock.order_items where order_id = (pg_temp.kept('beyond') ->> 'id')::uuid), '{0,2}', 'as in the table');
select is(
  pg_temp.buy('{"b": 3}'),
  jsonb_build_object('code', 'INSUFFICIENT_INVENTORY', 'details', jsonb_build_object('shortages', jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p('b'), 'requested', 3, 'available', 2)
  ))),
  'no more than the limit: available is what could be had'
);
select is(pg_temp.line(pg_temp.keep('last', pg_temp.buy('{"b": 2}')), 'b') -> 'backordered', '2', 'just the limit');
select is(pg_temp.stock('b'), '{0,4}', 'all of it is owed');
select is(pg_temp.buy('{"b": 1}') #> '{details,shortages,0,available}', '0', 'and nothing more can be had');
select is((select balance_after::int from interlock.stock_movements where product_id = pg_temp.p('b') order by id desc limit 1), -4, 'the ledger has what is owed below zero');
select is_empty('select * from interlock.stock_differences', 'the books are equal');
select is(
  pg_temp.shop(format('public.adjust_stock(%L, -1)', pg_temp.p('b'))) ->> 'code', 'INSUFFICIENT_INVENTORY',
  'what is not there cannot go'
);
select is(
  pg_temp.shop(format('public.adjust_stock(%L, 3)', pg_temp.p('b'))) - 'product_id',
  '{"success": true, "old_quantity": 0, "new_quantity": 0, "delta": 3}', 'a delivery fills what is owed'
);
select is(pg_temp.stock('b'), '{0,1}', 'first');
select is(pg_temp.end_of(pg_temp.kept('last')), 'cancelled', 'an order that ends');
select is(pg_temp.stock('b'), '{1,0}', 'fills it, too, and the rest is there');
select is(
  pg_temp.shop(format('public.decrement_product_quantity(%L, 3)', pg_temp.p('b'))) - 'product_id',
  '{"success": true, "old_quantity": 1, "new_quantity": -2, "deducted": 3}', 'the shop''s own code owes as well'
);
select is(
  pg_temp.shop(format('public.count_stock(%L, 3, 0)', pg_temp.p('b'))) - 'product_id',
  '{"success": true, "old_quantity": 0, "new_quantity": 1, "delta": 3}', 'of a count what is owed is taken off'
);
select is(pg_temp.stock('b'), '{1,0}', 'once');
update interlock.products set available_quantity = available_quantity - 1 where id = pg_temp.p('b');
select is(pg_temp.line(pg_temp.buy('{"b": 3}', 'wallet'), 'b') -> 'backordered', '3', 'paid at once, the same');
update interlock.products set available_quantity = available_quantity + 10 where id = pg_temp.p('b');
select is(pg_temp.stock('b'), '{7,0}', 'the shop''s own SQL fills it as well');
select is_empty('select * from interlock.stock_differences', 'the books are equal');

-- A lower limit takes nothing away, nor does tracked.
select is(pg_temp.line(pg_temp.keep('owed', pg_temp.buy('{"b": 10}')), 'b') -> 'backordered', '3', 'three of ten are owed');
update interlock.products set backorder_limit = 1 where id = pg_temp.p('b');
select is(pg_temp.stock('b'), '{0,3}', 'with a lower limit they still are');
select is(pg_temp.buy('{"b": 1}') #> '{details,shortages,0,available}', '0', 'and no more are sold');
update interlock.products set stock_policy = 'tracked', backorder_limit = 100 where id = pg_temp.p('b');
select is(pg_temp.buy('{"b": 1}') #> '{details,shortages,0,available}', '0', 'a tracked product sells what is there');
select is(
  pg_temp.shop(format('public.set_stock_slots(%L, 2)', pg_temp.p('b'))) ->> 'code', 'VALIDATION_FAILED',
  'what owes units gets no slots'
);
select is(pg_temp.end_of(pg_temp.kept('owed')), 'cancelled', 'the order ends');
select is(pg_temp.stock('b'), '{7,0}', 'and gives back what it took');
update interlock.products set stock_policy = 'backorder', backorder_limit = 4 where id = pg_temp.p('b');

-- Together with codes, whose answer comes late in any case.
select is(
  pg_temp.line(pg_temp.buy('{"b": 8, "d": 1}', 'wallet'), 'b') -> 'backordered', '1', 'beside a code'
);
update interlock.products set available_quantity = available_quantity + 3 where id = pg_temp.p('b');

-- Untracked ----------------------------------------------------------------------

select is(pg_temp.keep('free', pg_temp.buy('{"c": 500}')) ->> 'status', 'confirmed', 'of an untracked product any number is sold');
select is(pg_temp.stock('c'), '{3,0}', 'and its stock stays as it is');
select is_empty(format('select * from interlock.stock_movements where reference_id = %L', pg_temp.kept('free') ->> 'id'), 'the ledger has nothing of it');
select is(pg_temp.line(pg_temp.kept('free'), 'c') ? 'backordered', false, 'nothing is owed');
select is(pg_temp.end_of(pg_temp.kept('free')), 'cancelled', 'an order that ends');
select is(pg_temp.stock('c'), '{3,0}', 'gives nothing back');
select is(
  pg_temp.buy('{"a": 6, "c": 9}') #> '{details,shortages}',
  jsonb_build_array(jsonb_build_object('product_id', pg_temp.p('a'), 'requested', 6, 'available', 4)),
  'beside it the others are asked for their stock'
);
select is(pg_temp.keep('mixed', pg_temp.buy('{"a": 2, "c": 9, "d": 1}', 'wallet')) ->> 'status', 'paid', 'all kinds in one cart');
select is(array[pg_temp.stock('a'), pg_temp.stock('c'), pg_temp.stock('d')], '{{2,0},{3,0},{0,0}}', 'take what is theirs');
select is(jsonb_array_length(pg_temp.kept('mixed') -> 'codes'), 1, 'and have it');
select is(pg_temp.shop(format('public.refund_order(%L)', pg_temp.kept('mixed') ->> 'id')) #>> '{order,status}', 'refunded', 'refunded');
select is(array[pg_temp.stock('a'), pg_temp.stock('c')], '{{4,0},{3,0}}', 'they give back what they took');
select is(
  pg_temp.shop(format('public.decrement_product_quantity(%L, 3)', pg_temp.p('c'))) - 'product_id',
  '{"success": true, "old_quantity": 3, "new_quantity": 3, "deducted": 0}', 'the shop''s own code takes nothing either'
);
select is(
  pg_temp.shop(format('public.set_stock_slots(%L, 2)', pg_temp.p('c'))) ->> 'code', 'VALIDATION_FAILED',
  'what is not counted gets no slots'
);
select is(pg_temp.shop(format('public.set_stock_slots(%L, 2)', pg_temp.p('a'))) ->> 'success', 'true', 'what is tracked gets them');
select throws_ok(
  format('update interlock.products set stock_policy = %L where id = pg_temp.p(''a'')', policy), '23514', null,
  'and is not ' || policy || ' then'
) from (values ('untracked'), ('backorder')) as t (policy);
select is(pg_temp.shop(format('public.set_stock_slots(%L, 0)', pg_temp.p('a'))) ->> 'success', 'true', 'off again');

-- A policy that changes while orders are open -----------------------------------

select is(pg_temp.keep('was free', pg_temp.buy('{"c": 5}', 'bank_transfer')) ->> 'status', 'pending_payment', 'sold untracked');
select is(pg_temp.keep('was counted', pg_temp.buy('{"a": 2}', 'bank_transfer')) ->> 'status', 'pending_payment', 'sold tracked');
update interlock.products set stock_policy = 'tracked' where id = pg_temp.p('c');
update interlock.products set stock_policy = 'untracked' where id = pg_temp.p('a');
select is(pg_temp.expire(pg_temp.kept('was free')), '1', 'one expires');
select is(pg_temp.stock('c'), '{3,0}', 'and makes no stock');
select is(pg_temp.expire(pg_temp.kept('was counted')), '1', 'the other expires');
select is(pg_temp.stock('a'), '{4,0}', 'and loses none');
select is(
  pg_temp.shop(format('public.reopen_order(%L)', pg_temp.kept('was free') ->> 'id')) ->> 'code', 'INSUFFICIENT_INVENTORY',
  'opened again it is sold as the product is now'
);
update interlock.products set available_quantity = available_quantity + 4 where id = pg_temp.p('c');
select is(pg_temp.shop(format('public.reopen_order(%L)', pg_temp.kept('was free') ->> 'id')) #>> '{order,status}', 'pending_payment', 'with stock it is');
select is(pg_temp.stock('c'), '{2,0}', 'which it takes');
select is(pg_temp.end_of(pg_temp.kept('was free')), 'cancelled', 'and at its end');
select is(pg_temp.stock('c'), '{7,0}', 'gives back');
select is(pg_temp.shop(format('public.reopen_order(%L)', pg_temp.kept('was counted') ->> 'id')) #>> '{order,status}', 'pending_payment', 'the other takes none');
select is(pg_temp.stock('a'), '{4,0}', 'now');
select is(pg_temp.end_of(pg_temp.kept('was counted')), 'cancelled', 'and gives none');
select is(pg_temp.stock('a'), '{4,0}', 'back');
update interlock.products set stock_policy = 'tracked' where id = pg_temp.p('a');

select is(pg_temp.stock('b'), '{2,0}', 'two are there');
select is(pg_temp.line(pg_temp.keep('again', pg_temp.buy('{"a": 1, "b": 4}', 'bank_transfer')), 'b') -> 'backordered', '2', 'two are owed');
select is(pg_temp.expire(pg_temp.kept('again')), '1', 'until it expires');
update interlock.products set available_quantity = available_quantity - 1 where id = pg_temp.p('b');
select is(
  pg_temp.line(pg_temp.shop(format('public.reopen_order(%L)', pg_temp.kept('again') ->> 'id')) -> 'order', 'b') -> 'backordered',
  '3', 'opened again more of them are'
);
select is(pg_temp.stock('b'), '{0,3}', 'owed');
select is_empty('select * from interlock.stock_differences', 'the books are equal');

-- Beside others: products by id, and nothing of what is not sold.
insert into interlock.products (id, name, price, currency, available_quantity, stock_policy, backorder_limit)
values (pg_temp.p('7'), 'tap 7', 100, 'EUR', 0, 'backorder', 5), (pg_temp.p('8'), 'tap 8', 100, 'EUR', 1, 'backorder', 5);
select is(
  pg_temp.buy('{"8": 9, "7": 9}') #> '{details,shortages}',
  jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p('7'), 'requested', 9, 'available', 5),
    jsonb_build_object('product_id', pg_temp.p('8'), 'requested', 9, 'available', 6)
  ), 'shortages stand in the order of their ids'
);
select is(pg_temp.keep('earlier', pg_temp.buy('{"7": 1, "8": 1}')) ->> 'status', 'confirmed', 'one of each');
select is(array[pg_temp.stock('7'), pg_temp.stock('8')], '{{0,1},{0,0}}', 'one is owed');
select is(pg_temp.line(pg_temp.buy('{"8": 2}'), '8') -> 'backordered', '2', 'two more of one');
select is(pg_temp.line(pg_temp.buy('{"7": 3}'), '7') -> 'backordered', '3', 'three more of the other');
select is(array[pg_temp.stock('7'), pg_temp.stock('8')], '{{0,4},{0,2}}', 'are owed');
select is(
  (select array_agg(backordered::int order by product_id) from interlock.order_items where order_id = (pg_temp.kept('earlier') ->> 'id')::uuid),
  '{1,0}', 'what an earlier order was owed stays as it was'
);
update interlock.products set stock_policy = 'untracked' where id = pg_temp.p('7');
select is(pg_temp.keep('mixed again', pg_temp.buy('{"7": 2, "8": 1}')) ->> 'status', 'confirmed', 'one that was owed, and is not counted now');
select is(pg_temp.line(pg_temp.kept('mixed again'), '7') ? 'backordered', false, 'is not owed any more');
select is(pg_temp.line(pg_temp.kept('mixed again'), '8') -> 'backordered', '1', 'beside one that is');
select is(
  pg_temp.shop(format('public.decrement_product_quantity(%L, 4)', pg_temp.p('8'))) #> '{details,shortages,0,available}', '2',
  'the shop''s own code is bound by the limit'
);
update interlock.products set stock_policy = 'tracked' where id = pg_temp.p('8');
select is(
  pg_temp.shop(format('public.decrement_product_quantity(%L, 1)', pg_temp.p('8'))) #> '{details,shortages,0,available}', '0',
  'and by the policy'
);

-- What is opened again changes no other order.
select is(pg_temp.keep('stays', pg_temp.buy('{"7": 1}')) ->> 'status', 'confirmed', 'sold untracked');
select is(pg_temp.keep('goes', pg_temp.buy('{"7": 1}', 'bank_transfer')) ->> 'status', 'pending_payment', 'as another');
select is(pg_temp.expire(pg_temp.kept('goes')), '1', 'which expires');
update interlock.products set stock_policy = 'backorder', backorder_limit = 9 where id = pg_temp.p('7');
select is(pg_temp.shop(format('public.reopen_order(%L)', pg_temp.kept('goes') ->> 'id')) #>> '{order,status}', 'pending_payment', 'and is opened again');
select is(
  (select array_agg(untracked order by order_id = (pg_temp.kept('stays') ->> 'id')::uuid) from interlock.order_items where order_id in ((pg_temp.kept('stays') ->> 'id')::uuid, (pg_temp.kept('goes') ->> 'id')::uuid)),
  '{f,t}', 'the other is untracked as it was'
);
select is_empty('select * from interlock.stock_differences', 'the books are equal');

-- A product that is deleted takes what it owes along.
update interlock.products set available_quantity = available_quantity + 9 where id = pg_temp.p('9');
update interlock.products set stock_policy = 'backorder', backorder_limit = 9 where id = pg_temp.p('9');
select is(pg_temp.shop(format('public.decrement_product_quantity(%L, 12)', pg_temp.p('9'))) ->> 'new_quantity', '-3', 'three are owed');
delete from interlock.products where id = pg_temp.p('9');
select is_empty('select * from interlock.stock_differences', 'and its books are closed');

-- Over REST neither column is overwritten.
set local role service_role;
select set_config('request.path', '/products', true);
select throws_ok(
  $$update public.products set backordered = 0 where id = '7d370000-0000-4000-8000-00000000000b'$$,
  'PT409', 'STOCK_NOT_RELATIVE', 'what is owed is not overwritten'
);
select throws_ok(
  $$update public.products set available_quantity = 1 where id = '7d370000-0000-4000-8000-00000000000b'$$,
  'PT409', 'STOCK_NOT_RELATIVE', 'nor is stock that would but fill it'
);
select lives_ok(
  $$update public.products set stock_policy = 'tracked', backorder_limit = 2, max_per_order = 3 where id = '7d370000-0000-4000-8000-00000000000b'$$,
  'the policy and its limits are the shop''s to set'
);
reset role;

-- The lines of orders stay otherwise.
select throws_ok(
  format('update interlock.order_items set %I = %I', c, c), '23001', null, c || ' of a line does not change'
) from unnest(array['order_id', 'product_id', 'quantity', 'unit_price', 'name', 'kind', 'discount', 'tax', 'tax_percent', 'tax_inclusive']) c;
select throws_ok('delete from interlock.order_items', '23001', null, 'nor is it deleted');

select finish();
rollback;
