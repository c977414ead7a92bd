-- A thousand shops in one installation, with the same products, people, carts and keys in each: nothing of one is seen, taken or changed by
-- another, whoever asks.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
set local lock_timeout = '10s';
select plan(64);

insert into auth.users (id, aud, role, email)
select ('99000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'authenticated', 'authenticated', format('tap-%s@example.com', n)
from generate_series(1, 4) n;
select interlock.serve_shops();
alter table interlock.shops alter id restart with 2;
create temporary table shops on commit drop as select 1 as id;
insert into shops select interlock.add_shop('shop-' || n) from generate_series(2, 1000) n;
grant select on shops to public;

-- The present user and shop, by token and header.
create function pg_temp.be(p_role text, p_n int, p_shop text, p_claims jsonb default '{}')
returns void
language plpgsql
as $$
begin
  perform set_config('interlock.shop', '', true);
  perform set_config('request.headers', case when p_shop is null then '{}' else jsonb_build_object('x-shop', p_shop) end::text, true);
  perform set_config('request.jwt.claims', (
    jsonb_build_object('role', p_role, 'app_metadata', p_claims)
      || case when p_n is null then '{}' else jsonb_build_object('sub', '99000000-0000-4000-8000-' || lpad(p_n::text, 12, '0')) end
  )::text, true);
  perform set_config('role', p_role, true);
end
$$;
-- As whoever installed it, in a shop, or in none.
create function pg_temp.be_owner(p_shop int default null)
returns void
language plpgsql
as $$
begin
  perform set_config('role', 'none', true);
  perform set_config('request.headers', '', true);
  perform set_config('request.jwt.claims', '', true);
  perform set_config('interlock.shop', coalesce(p_shop::text, ''), true);
end
$$;
create function pg_temp.buy(p_quantity int)
returns jsonb
language plpgsql
as $$
declare
  v_code text;
  v_detail text;
begin
  return public.checkout(
    jsonb_build_array(jsonb_build_object('product_id', '99000000-0000-4000-8000-0000000000a1', 'quantity', p_quantity)),
    p_promo_code => 'SAME', p_cart_id => '99000000-0000-4000-8000-0000000000c1', p_idempotency_key => 'the same key'
  )::jsonb -> 'order';
exception
  when others then
    get stacked diagnostics v_code = message_text, v_detail = pg_exception_detail;
    return jsonb_build_object('code', v_code, 'detail', v_detail);
end
$$;
create function pg_temp.code(p_sql text)
returns text
language plpgsql
as $$
begin
  execute p_sql;
  return 'done';
exception
  when others then
    return sqlstate || ' ' || sqlerrm;
end
$$;

-- Each shop has what all have, and as many units as its id says.
do $$
declare
  v_shop int;
begin
  for v_shop in select s.id from pg_temp.shops s order by s.id loop
    perform pg_temp.be_owner(v_shop);
    insert into interlock.products (id, name, price, currency, available_quantity)
    values ('99000000-0000-4000-8000-0000000000a1', 'tap oil of ' || v_shop, 1000 + v_shop, 'EUR', v_shop + 1);
    insert into interlock.promo_codes (id, code, discount_type, discount_value, currency, max_uses)
    values ('99000000-0000-4000-8000-0000000000d1', 'SAME', 'fixed', 100, 'EUR', 1);
    insert into interlock.locations (id, name) values ('99000000-0000-4000-8000-0000000000e1', 'Store');
    insert into interlock.inventory (id, product_id, location_id, quantity)
    values ('99000000-0000-4000-8000-0000000000f1', '99000000-0000-4000-8000-0000000000a1', '99000000-0000-4000-8000-0000000000e1', 10);
    insert into interlock.drivers (user_id) values ('99000000-0000-4000-8000-000000000002');
    insert into interlock.batches (id, reference) values ('99000000-0000-4000-8000-0000000000b1', 'of ' || v_shop);
    insert into interlock.wallets (user_id, currency, balance) values ('99000000-0000-4000-8000-000000000001', 'EUR', 0);
  end loop;
end
$$;
select pg_temp.be_owner();
select is(
  (select count(*) from interlock.products p where p.id = '99000000-0000-4000-8000-0000000000a1'), 1000::bigint,
  'a thousand shops have the same product, promo code, store, batch and driver'
);

-- The same buyer buys the same cart under the same key in each.
create temporary table answers (shop_id int, answer jsonb) on commit drop;
grant all on answers to public;
do $$
declare
  v_shop int;
begin
  for v_shop in select s.id from pg_temp.shops s order by s.id % 7, s.id loop
    perform pg_temp.be('authenticated', 1, case when v_shop % 2 = 0 then v_shop::text else case v_shop when 1 then 'shop' else 'shop-' || v_shop end end);
    insert into pg_temp.answers values (v_shop, pg_temp.buy(1));
  end loop;
end
$$;
select pg_temp.be_owner();
select is_empty(
  $$select a.shop_id, a.answer from answers a where (a.answer ->> 'total')::int is distinct from 1000 + a.shop_id - 100$$,
  'each sells it for its own price, less its own use of the code'
);
select is((select count(distinct a.answer ->> 'id') from answers a), 1000::bigint, 'which is an order of its own');
select is_empty(
  $$
    select p.shop_id, p.available_quantity
    from interlock.products p
    where p.id = '99000000-0000-4000-8000-0000000000a1' and p.available_quantity <> p.shop_id
  $$,
  'and a unit of its own stock'
);
select is_empty(
  $$
    select s.id
    from shops s
    left join interlock.orders o on o.shop_id = s.id
    left join interlock.promo_redemptions r on r.shop_id = s.id
    left join interlock.order_events e on e.shop_id = s.id
    left join interlock.idempotency_keys k on k.shop_id = s.id
    left join interlock.promo_codes c on c.shop_id = s.id
    group by s.id
    having count(distinct o.id) <> 1 or count(distinct r.id) <> 1 or count(distinct k.key) <> 1 or max(c.used_count) <> 1
      or count(distinct e.id) = 0
  $$,
  'order, use, history and key are the shop''s'
);
select is_empty(
  $$
    select o.shop_id from interlock.orders o join answers a on a.answer ->> 'id' = o.id::text where a.shop_id <> o.shop_id
    union all
    select i.shop_id from interlock.order_items i join answers a on a.answer ->> 'id' = i.order_id::text where a.shop_id <> i.shop_id
    union all
    select m.shop_id from interlock.stock_movements m join answers a on a.answer ->> 'id' = m.reference_id::text where a.shop_id <> m.shop_id
  $$,
  'nothing was written to another one'
);

-- Repeated, refused.
select pg_temp.be('authenticated', 1, '500');
select is(pg_temp.buy(1) ->> 'id', (select answer ->> 'id' from answers where shop_id = 500), 'the key answers what the shop answered');
select is(pg_temp.buy(2) ->> 'code', 'IDEMPOTENCY_KEY_REUSED', 'and is taken for anything else');
select pg_temp.be('authenticated', 3, '3');
select is(pg_temp.buy(1) ->> 'code', 'PROMO_EXHAUSTED', 'the code is used up in each');

-- Where it is said.
select pg_temp.be('authenticated', 1, null);
select is((select array_agg(o.id::text) from public.orders o), (select array[answer ->> 'id'] from answers where shop_id = 1), 'without a header it is shop 1');
select pg_temp.be('authenticated', 1, 'shop-77');
select is((select array_agg(o.id::text) from public.orders o), (select array[answer ->> 'id'] from answers where shop_id = 77), 'a handle says it');
select pg_temp.be('authenticated', 1, '77', '{"shop_id": 77}');
select is((select array_agg(o.id::text) from public.orders o), (select array[answer ->> 'id'] from answers where shop_id = 77), 'and so does a token');
select pg_temp.be('authenticated', 1, '78', '{"shop_id": 77}');
select is(pg_temp.code('select * from public.orders'), 'PT403 SHOP_FORBIDDEN', 'whose bearer is in no other');
select is(pg_temp.buy(1) ->> 'code', 'SHOP_FORBIDDEN', 'whatever they call');
select pg_temp.be('authenticated', 1, '1001');
select is(pg_temp.code('select * from public.orders'), 'PT404 SHOP_UNKNOWN', 'there is no other shop');
select pg_temp.be('authenticated', 1, 'nowhere');
select is(pg_temp.code('select * from public.orders'), 'PT404 SHOP_UNKNOWN', 'by no name');
select pg_temp.be('authenticated', 1, '0 or 1 = 1');
select is(pg_temp.code('select * from public.orders'), 'PT404 SHOP_UNKNOWN', 'nor by what is none');

-- Staff.
select pg_temp.be('authenticated', 4, null, '{"role": "staff", "shop_id": 77}');
select is(
  (select jsonb_agg(o -> 'id') from jsonb_array_elements(public.list_orders() -> 'orders') o),
  (select jsonb_build_array(answer -> 'id') from answers where shop_id = 77), 'staff sees the orders of their shop'
);
select pg_temp.be('authenticated', 4, '78', '{"role": "staff", "shop_id": 77}');
select is(pg_temp.code('select public.list_orders()'), 'PT403 SHOP_FORBIDDEN', 'and of no other');
select pg_temp.be('authenticated', 4, '78', '{"role": "staff"}');
select is(pg_temp.code('select public.list_orders()'), 'PT403 SHOP_FORBIDDEN', 'staff without a shop is staff of shop 1');
select pg_temp.be('authenticated', 4, null, '{"role": "staff"}');
select is(
  (select jsonb_agg(o -> 'id') from jsonb_array_elements(public.list_orders() -> 'orders') o),
  (select jsonb_build_array(answer -> 'id') from answers where shop_id = 1), 'which is where they work'
);
select pg_temp.be('authenticated', 4, null, '{"role": "staff", "shop_id": 77}');
select is(
  pg_temp.code(format('select public.cancel_order(%L)', (select answer ->> 'id' from answers where shop_id = 78))),
  'PT404 ORDER_NOT_FOUND', 'an order of another shop is none'
);
select is(
  pg_temp.code(format('select public.refund_order(%L)', (select answer ->> 'id' from answers where shop_id = 78))),
  'PT404 ORDER_NOT_FOUND', 'for its money, too'
);
select is(
  (public.cancel_order((select answer ->> 'id' from answers where shop_id = 77)::uuid) ->> 'success'), 'true', 'one of their own they cancel'
);
select pg_temp.be_owner();
select is(
  (select array_agg(p.available_quantity - p.shop_id order by p.shop_id) from interlock.products p where p.shop_id between 76 and 78),
  '{0,1,0}', 'and one shop has its unit back'
);
select is((select sum(c.used_count) from interlock.promo_codes c), 999::bigint, 'and its use');

-- The shop's own code, with the service key, which passes over row security.
select pg_temp.be('service_role', null, '5');
select is((select array_agg(p.name) from public.products p), '{tap oil of 5}', 'the service role reads a shop as its views show it');
update public.products set name = 'oil of five';
select pg_temp.be_owner();
select is((select array_agg(p.shop_id) from interlock.products p where p.name = 'oil of five'), '{5}', 'and writes no other');
select pg_temp.be('service_role', null, '5');
insert into public.products (id, name, price, currency, available_quantity)
values ('99000000-0000-4000-8000-0000000000a2', 'tap tea', 100, 'EUR', 5);
select pg_temp.be_owner();
select is(
  (select array_agg(p.shop_id) from interlock.products p where p.name = 'tap tea'), '{5}', 'what it inserts is of the shop that it names'
);
select pg_temp.be('service_role', null, '6');
select is(
  pg_temp.code($$select public.decrement_product_quantity('99000000-0000-4000-8000-0000000000a2', 1)$$), 'PT404 PRODUCT_NOT_FOUND',
  'what another has is not there'
);
select is(
  pg_temp.code($$
    insert into interlock.product_codes (product_id, code) values ('99000000-0000-4000-8000-0000000000a2', 'X')
  $$) like '23503%', true, 'nor to be referred to'
);

-- Drivers, stock at stores.
select pg_temp.be('authenticated', 2, '9');
select is(public.claim_route()::jsonb -> 'batch' ->> 'reference', 'of 9', 'a driver claims the batch of the shop they drive for');
select pg_temp.be('authenticated', 2, '10');
select is(public.claim_route()::jsonb -> 'batch' ->> 'reference', 'of 10', 'and has one of another at the same time');
select is(pg_temp.code('select public.claim_route()'), 'PT409 DRIVER_BUSY', 'but not two of one');
select pg_temp.be_owner();
select is((select array_agg(b.shop_id order by b.shop_id) from interlock.batches b where b.status = 'claimed'), '{9,10}', 'all others wait');
select pg_temp.be('service_role', null, '12');
select lives_ok(
  $$
    select public.manage_inventory(
      'adjust', '[{"inventory_id": "99000000-0000-4000-8000-0000000000f1", "delta": -4}]', 'tap'
    )
  $$,
  'a shop writes off'
);
select pg_temp.be_owner();
select is(
  (select array_agg(i.shop_id || ' ' || trim_scale(i.quantity)) from interlock.inventory i where i.quantity <> 10), '{12 6}', 'what it has, and no other'
);

-- Channels.
select pg_temp.be('authenticated', 1, null);
select ok(
  not interlock.may_hear('order:' || (select answer ->> 'id' from answers where shop_id = 20)), 'a buyer hears of an order where it is'
);
select pg_temp.be('authenticated', 1, null);
select ok(interlock.may_hear('order:' || (select answer ->> 'id' from answers where shop_id = 20) || '@20'), 'which the topic says');
select pg_temp.be('authenticated', 4, null, '{"role": "staff", "shop_id": 21}');
select throws_ok(
  format('select interlock.may_hear(%L)', 'order:' || (select answer ->> 'id' from answers where shop_id = 20) || '@20'),
  'PT403', 'SHOP_FORBIDDEN', 'staff hears of their shop alone'
);
select pg_temp.be_owner(20);
select is(interlock.topic_of_shop('batches'), 'batches@20', 'and a shop speaks to its own');

-- Open, closed, moving, busy.
select pg_temp.be_owner();
select interlock.set_shop(30, 'closed'), interlock.set_shop(31, 'moving'), interlock.set_shop(32, p_requests_at_once => 1);
select pg_temp.be('authenticated', 1, '30');
select is(pg_temp.buy(1) ->> 'code', 'SHOP_CLOSED', 'a closed one sells nothing');
select pg_temp.be('authenticated', 1, '31');
select is(pg_temp.buy(1) ->> 'code', 'SHOP_MOVING', 'nor does one that is being moved');
select is(pg_temp.buy(1) ->> 'detail' like '%"retryable": true%', true, 'for now');
select pg_temp.be('authenticated', 1, '32');
select is(pg_temp.buy(1) ->> 'code', null, 'one with a limit lets as many in as it says');

-- Jobs go from shop to shop.
select pg_temp.be_owner();
select set_eq(
  'select unnest(interlock.shops_to_serve(true))', $$select id from shops where id <> 31$$, 'jobs serve every shop but what is on its way'
);
select is(interlock.shops_to_serve(false), array[null::int], 'and the installation once, where that is what they do');
select interlock.act_for(40);
select is(interlock.expire_orders(100), 0, 'a job acts for one');
select pg_temp.be_owner(41);
insert into interlock.settings as s default values on conflict do nothing;
select pg_temp.be_owner();

-- A person is erased in every shop that knows them, or in none.
select pg_temp.be('authenticated', 3, '60');
select set_config('test.order', public.checkout(
  '[{"product_id": "99000000-0000-4000-8000-0000000000a1", "quantity": 1}]', p_contact => '{"email": "bob@example.com"}'
)::jsonb -> 'order' ->> 'id', true);
select pg_temp.be_owner(61);
insert into interlock.drivers (user_id) values ('99000000-0000-4000-8000-000000000003');
insert into interlock.customers (user_id, name) values ('99000000-0000-4000-8000-000000000003', 'tap Bob');
insert into interlock.wallets (user_id, balance, currency) values ('99000000-0000-4000-8000-000000000003', 0, 'EUR');
select pg_temp.be('service_role', null, '61');
select throws_like(
  $$select public.erase_user('99000000-0000-4000-8000-000000000003')$$, 'USER_HAS_OBLIGATIONS', 'an order that is open in one shop keeps the account'
);
select pg_temp.be_owner();
select is(interlock.shops_of_user('99000000-0000-4000-8000-000000000003'), '{60,61}', 'two know them');
select throws_like(
  $$
    do $do$
    begin
      delete from auth.users where id = '99000000-0000-4000-8000-000000000003';
      set constraints all immediate;
    end
    $do$
  $$,
  '%violates foreign key constraint%', 'nor does it go behind the shops'' back'
);
select pg_temp.be('service_role', null, '60');
select is(public.cancel_order(current_setting('test.order')::uuid) ->> 'success', 'true', 'the order is ended');
select is(
  public.erase_user('99000000-0000-4000-8000-000000000003') ->> 'success', 'true', 'and they are erased, from wherever it is asked for'
);
select lives_ok('set constraints all immediate', 'with the account');
select pg_temp.be_owner();
select is_empty(
  $$
    select 'order' from interlock.orders o where o.user_id = '99000000-0000-4000-8000-000000000003'
    union all
    select 'driver' from interlock.drivers d where d.user_id = '99000000-0000-4000-8000-000000000003'
    union all
    select 'wallet' from interlock.wallets w where w.user_id = '99000000-0000-4000-8000-000000000003'
    union all
    select 'customer' from interlock.customers c where c.user_id = '99000000-0000-4000-8000-000000000003' or c.name = 'tap Bob'
    union all
    select 'contact' from interlock.order_details d where d.contact ->> 'email' = 'bob@example.com'
    union all
    select 'account' from auth.users u where u.id = '99000000-0000-4000-8000-000000000003'
  $$,
  'in each shop'
);
select is(interlock.shops_of_user('99000000-0000-4000-8000-000000000003'), '{}', 'and nobody knows them any more');

-- The rights of each role, by shop: whatever a role may read, it reads of the present shop.
create function pg_temp.strangers(p_role text, p_n int, p_claims jsonb)
returns table (what text, own bigint, strange bigint)
language plpgsql
as $$
declare
  v_table regclass;
begin
  for v_table in
    select c.oid::regclass
    from pg_catalog.pg_class c
    where c.relnamespace in ('interlock'::regnamespace, 'interlock_parts'::regnamespace)
      and c.relkind in ('r', 'p')
      and c.relname <> 'shops'
  loop
    perform pg_temp.be(p_role, p_n, '50', p_claims);
    begin
      what := v_table;
      execute format('select count(*) filter (where shop_id = 50), count(*) filter (where shop_id <> 50) from %s', v_table) into own, strange;
      return next;
    exception
      when insufficient_privilege then
        null;
    end;
  end loop;
  perform pg_temp.be_owner();
end
$$;
grant usage on schema interlock, interlock_parts to interlock_owner;
select is_empty($$select * from pg_temp.strangers('anon', null, '{}') where strange > 0$$, 'whoever is not signed in reads nothing of another shop');
select is_empty($$select * from pg_temp.strangers('authenticated', 1, '{}') where strange > 0$$, 'nor a buyer');
select is_empty(
  $$select * from pg_temp.strangers('authenticated', 4, '{"role": "staff", "shop_id": 50}') where strange > 0$$, 'nor staff'
);
select is_empty(
  $$select * from pg_temp.strangers('authenticated', 4, '{"role": "manager", "shop_id": 50}') where strange > 0$$, 'nor who works at tills or in the warehouse'
);
select is_empty($$select * from pg_temp.strangers('interlock_owner', null, '{}') where strange > 0$$, 'nor functions themselves');
select cmp_ok(
  (select count(*) from pg_temp.strangers('interlock_owner', null, '{}') where own > 0), '>', 15::bigint, 'which read their own'
);
select is_empty(
  $$
    select t.what, u.code
    from (select what, own from pg_temp.strangers('interlock_owner', null, '{}')) t
    cross join lateral (
      select pg_temp.be('interlock_owner', null, '50'), pg_temp.code(format('update %s set shop_id = 51', t.what)) as code
    ) u
    where t.own > 0
      and u.code = 'done'
  $$,
  'nothing is given to another shop'
);
select pg_temp.be_owner();
select is(
  (select count(*) from interlock.products p where p.shop_id = 51), 1::bigint, 'nobody got anything'
);

select * from finish();
rollback;
