-- How the schema is built: ids, domains, what public shows of it, and jobs.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(46);

-- Ids -----------------------------------------------------------------------

create temporary table ids as select n, interlock.new_id() as id from generate_series(1, 1000) as n;
select is((select count(distinct id) from ids), 1000::bigint, 'ids are unique');
select is_empty(
  $$select id from ids where id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'$$,
  'they are UUIDs of version 7'
);
select ok(
  abs(
    ('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint
      - extract(epoch from clock_timestamp()) * 1000
  ) < 60000,
  'that begin with the milliseconds since 1970'
)
from ids where n = 1000;
select is_empty(
  $$
    select a.id from ids a join ids b on b.n = a.n + 1
    where left(a.id::text, 13) > left(b.id::text, 13)
  $$,
  'and stand in the order of time'
);
select is_empty(
  $$
    select a.attrelid::regclass
    from pg_attrdef d
    join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'interlock'::regnamespace
      and pg_get_expr(d.adbin, d.adrelid) like '%gen_random_uuid%'
  $$,
  'every table makes its ids so'
);

-- Domains --------------------------------------------------------------------

select is_empty(
  $$
    select p.oid::regprocedure
    from pg_proc p
    cross join lateral unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype) as u (type)
    join pg_type t on t.oid = u.type
    where p.pronamespace = 'public'::regnamespace
      and t.typtype = 'd'
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  $$,
  'no RPC has a domain in its signature'
);
select is_empty(
  $$
    select t.typname
    from pg_type t
    where t.typnamespace = 'interlock'::regnamespace
      and t.typtype = 'd'
      and not exists (select from pg_constraint k where k.contypid = t.oid and k.convalidated)
  $$,
  'every domain has a check'
);
select is_empty(
  $$
    select k.conrelid::regclass, k.conname
    from pg_constraint k
    where k.connamespace = 'interlock'::regnamespace
      and k.contype = 'c'
      and cardinality(k.conkey) = 1
      and k.conname not in (
        'products_available_quantity_nonnegative', 'wallets_balance_nonnegative', 'promo_attempts_bounded'
      )
      and k.conrelid <> 'interlock.settings'::regclass
  $$,
  'what is said of one column is said by a domain, but for the names that others verify'
);

-- What public shows ----------------------------------------------------------

select is_empty(
  $$
    select c.relname
    from pg_class c
    where c.relnamespace = 'public'::regnamespace
      and c.relkind = 'v'
      and not coalesce(c.reloptions @> array['security_invoker=true'], false)
  $$,
  'every view runs with its caller''s rights'
);
select results_eq(
  $$
    select c.relname::text, a.grantee::regrole::text, a.privilege_type
    from pg_class c cross join aclexplode(c.relacl) a
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and a.grantee <> c.relowner
    order by 1, 2, 3
  $$,
  $$
    select c.relname::text, a.grantee::regrole::text, a.privilege_type
    from pg_class c cross join aclexplode(c.relacl) a
    where c.relnamespace = 'interlock'::regnamespace and c.relkind in ('r', 'v') and a.grantee <> c.relowner
      and to_regclass('public.' || c.relname) is not null
    order by 1, 2, 3
  $$,
  'a view has the rights of what it shows'
);
select results_eq(
  $$
    select a.attname::text, p.privilege_type
    from pg_attribute a cross join aclexplode(a.attacl) p
    where a.attrelid = 'public.promo_codes'::regclass
    order by 1, 2
  $$,
  $$
    select a.attname::text, p.privilege_type
    from pg_attribute a cross join aclexplode(a.attacl) p
    where a.attrelid = 'interlock.promo_codes'::regclass
    order by 1, 2
  $$,
  'column by column where they are given so'
);
select is(
  obj_description('public.orders'::regclass, 'pg_class'), obj_description('interlock.orders'::regclass, 'pg_class'),
  'and its comment'
);

create table interlock.tap_table (id int primary key, secret text);
comment on table interlock.tap_table is 'tap';
grant select (id), insert on interlock.tap_table to service_role;
select ok(interlock.expose('tap_table'), 'a name that is free gets a view');
select ok(has_column_privilege('service_role', 'public.tap_table', 'id', 'select'), 'with the rights of the table');
select ok(not has_column_privilege('service_role', 'public.tap_table', 'secret', 'select'), 'and no others');
select ok(not has_table_privilege('anon', 'public.tap_table', 'select'), 'whatever the project gives by default');
select ok(not interlock.expose('tap_table'), 'what is shown already is not shown again');
select ok(interlock.conceal('tap_table'), 'it can be taken back');
select hasnt_view('public', 'tap_table', 'and is gone');
select ok(not interlock.conceal('tap_table'), 'once');

create table public.tap_table (theirs int);
select ok(not interlock.expose('tap_table'), 'a table of the project''s own stays');
select ok(not interlock.conceal('tap_table'), 'and is not taken for ours');
select has_column('public', 'tap_table', 'theirs', 'it is what it was');
drop table public.tap_table;
create view public.tap_table as select 1 as theirs;
select ok(not interlock.expose('tap_table') and not interlock.conceal('tap_table'), 'so does a view');
drop view public.tap_table;
create type public.tap_table as enum ('theirs');
select ok(not interlock.expose('tap_table'), 'and a type');
drop type public.tap_table;

-- Through the views -----------------------------------------------------------

insert into auth.users (id, aud, role, email)
values
  ('7e000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com'),
  ('7e000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-bob@example.com');

set local role service_role;
insert into public.products (id, name, price, currency, available_quantity)
values ('7d000000-0000-4000-8000-000000000001', 'tap soap', 250, 'EUR', 10);
update public.products set available_quantity = available_quantity + 5 where name = 'tap soap';
insert into public.products (id, name, price, currency)
values ('7d000000-0000-4000-8000-000000000001', 'tap soap', 260, 'EUR')
on conflict (id) do update set price = excluded.price;
insert into public.promo_codes (code, discount_type, discount_value) values ('TAP', 'percentage', 10);
select throws_ok(
  $$insert into public.promo_codes (code, discount_type, discount_value, used_count) values ('TAP2', 'percentage', 10, 1)$$,
  '42501', null, 'the shop writes no column through a view that it may not write in the table'
);
insert into public.drivers (user_id) values ('7e000000-0000-4000-8000-000000000001');
insert into public.batches (reference) values ('tap');
delete from public.batches where reference = 'tap';
reset role;
select results_eq(
  $$select price::bigint, available_quantity from interlock.products where name = 'tap soap'$$,
  $$values (260::bigint, 15)$$,
  'the shop inserts, updates and upserts through the views'
);
select results_eq(
  $$select delta::int, reason::text from interlock.stock_movements m where product_id = '7d000000-0000-4000-8000-000000000001' order by id$$,
  $$values (10, 'opening'), (5, 'correction')$$,
  'and the ledger has it'
);

select set_config('request.jwt.claims', '{"sub": "7e000000-0000-4000-8000-000000000001", "role": "authenticated"}', true);
set local role authenticated;
create temporary table bought on commit drop as
  select public.checkout('[{"product_id": "7d000000-0000-4000-8000-000000000001", "quantity": 2}]') as answer;
reset role;
grant select on bought to public;
insert into interlock.orders (user_id, status, currency, subtotal, total, payment_method, created_at)
select '7e000000-0000-4000-8000-000000000002', 'confirmed', 'EUR', 1, 1, 'cash_on_delivery', now() - n * interval '1 second'
from generate_series(1, 3000) as n;
insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
select o.id, '7d000000-0000-4000-8000-000000000001', 1, 1, 'tap soap', 'physical'
from interlock.orders o where o.user_id = '7e000000-0000-4000-8000-000000000002';
analyze interlock.orders, interlock.order_items, interlock.order_events;

create function pg_temp.plan(p_sql text)
returns text
language plpgsql
as $$
declare
  v_line text;
  v_plan text := '';
begin
  for v_line in execute 'explain (costs off) ' || p_sql loop
    v_plan := v_plan || v_line || e'\n';
  end loop;
  return v_plan;
end
$$;

set local role authenticated;
select is((select count(*) from public.orders), 1::bigint, 'a buyer reads their own orders');
select is((select count(*) from public.order_items), 1::bigint, 'their lines');
select is((select count(*) from public.order_events), 1::bigint, 'and their history');
select matches(
  pg_temp.plan('select * from public.orders order by created_at desc limit 20'), 'Index Scan using orders_by_user',
  'their latest orders are looked up in the index'
);
select doesnt_match(
  pg_temp.plan('select * from public.order_items limit 20'), 'Seq Scan on order_items',
  'so are the lines of them'
);
select doesnt_match(
  pg_temp.plan('select * from public.order_events limit 20'), 'Seq Scan on order_events',
  'and the history'
);

-- Staff read with a function ---------------------------------------------------

select throws_ok('select public.list_orders()', 'PT403', 'FORBIDDEN', 'a buyer lists no orders');
select set_config(
  'request.jwt.claims',
  '{"sub": "7e000000-0000-4000-8000-000000000001", "role": "authenticated", "app_metadata": {"role": "staff"}}', true
);
select is(jsonb_array_length(public.list_orders(p_limit => 7) -> 'orders'), 7, 'staff list orders, a page at a time');
select is(
  public.list_orders(p_user_id => '7e000000-0000-4000-8000-000000000001') -> 'orders' -> 0 -> 'events' -> 0 ->> 'event',
  'confirmed', 'of one customer, with their history'
);
select is(
  public.list_orders(p_user_id => '7e000000-0000-4000-8000-000000000001') -> 'orders' -> 0 -> 'items' -> 0 ->> 'quantity',
  '2', 'and their lines'
);
select is(
  jsonb_array_length(public.list_orders(p_status => 'paid') -> 'orders'), 0, 'and of one status'
);
select is(
  public.list_orders(p_before => (public.list_orders(p_limit => 2) -> 'orders' -> 0 ->> 'id')::uuid, p_limit => 1)
    -> 'orders' -> 0 -> 'id',
  public.list_orders(p_limit => 2) -> 'orders' -> 1 -> 'id',
  'the next page begins after the last order of the page before'
);
select throws_ok(
  'select public.list_orders(p_limit => 201)', 'PT400', 'VALIDATION_FAILED', 'a page has an end'
);
reset role;
set local role anon;
select throws_ok('select public.list_orders()', '42501', null, 'whoever is not signed in does not even call it');
reset role;

-- The rest ---------------------------------------------------------------------

select is(interlock.schedule_jobs(), 0, 'without pg_cron nothing is scheduled');
select lives_ok($$select interlock.refuse_problems('[]'), interlock.refuse_problems(null)$$, 'no problem is none');
select throws_ok(
  $$select interlock.refuse_problems(interlock.problem('/a', 'is wrong') || interlock.problem('/b', 'too'))$$,
  'PT400', 'VALIDATION_FAILED', 'all problems are refused together'
);
select throws_ok(
  $$insert into interlock.order_events (order_id, event) values (gen_random_uuid(), 'paid')$$,
  '23503', null, 'history is of an order'
);

select * from finish();
rollback;
