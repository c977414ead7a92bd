-- How the schema is built: ids, what public shows of it and what can be done through that, errors, jobs. Domains are
-- in 09-domains.sql.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(132);

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

select is_empty(
  $$
    select a.id from ids a join ids b on b.n = a.n + 1
    where substring(a.id::text from 16) = substring(b.id::text from 16)
  $$,
  'what follows the time is another each time'
);
select pg_sleep(0.002);
create temporary table later as select interlock.new_id() as id;
select is_empty(
  'select i.id from ids i, later l where i.id >= l.id', 'so a later one is greater, also within a transaction'
);

-- Columns ----------------------------------------------------------------------

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
        'products_available_quantity_nonnegative', 'products_available_quantity_sane', 'inventory_quantity_nonnegative', 'wallets_balance_nonnegative', 'promo_attempts_bounded'
      )
      -- Of one row each, or a few.
      and k.conrelid not in ('interlock.settings'::regclass, 'interlock.delivery_cursor'::regclass, 'interlock.product_links'::regclass, 'interlock.customer_links'::regclass)
  $$,
  'what is said of one column is said by a domain, but for the names that others verify'
);

select is_empty(
  $$
    select c.relname, a.attname
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'interlock'::regnamespace
      and c.relkind in ('r', 'p')
      and a.attname <> 'shop_id'
      and has_any_column_privilege('service_role', c.oid, 'insert, update')
      and col_description(c.oid, a.attnum) is null
  $$,
  'of every column of a table that the shop writes it is said what it is'
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
    where c.relnamespace = 'interlock'::regnamespace and c.relkind in ('r', 'p', 'v') and a.grantee <> c.relowner
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

select is_empty(
  $$
    select v.relname
    from pg_class v
    join pg_class t on t.relname = v.relname and t.relnamespace = 'interlock'::regnamespace
    where v.relnamespace = 'public'::regnamespace
      and v.relkind = 'v'
      and (
        select array_agg((a.attname, a.atttypid, a.atttypmod)::text order by a.attnum)
        from pg_attribute a where a.attrelid = v.oid and a.attnum > 0 and not a.attisdropped
      ) is distinct from (
        select array_agg((a.attname, a.atttypid, a.atttypmod)::text order by a.attnum)
        from pg_attribute a
        where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attname not in ('transaction', 'shop_id')
      )
  $$,
  'and its columns, in their order, but for the transaction that wrote it'
);

create table interlock.tap_table (id int primary key, secret text, gone int, "Word" text default 'w');
alter table interlock.tap_table drop column gone;
comment on table interlock.tap_table is 'tap';
grant select (id), update ("Word"), insert on interlock.tap_table to service_role;
select ok(interlock.expose('tap_table'), 'a name that is free gets a view');
select is(
  (select reloptions from pg_class where oid = 'public.tap_table'::regclass), array['security_invoker=true'],
  'that runs with its caller''s rights'
);
select columns_are('public', 'tap_table', array['id', 'secret', 'Word'], 'has the columns that there are');
select is(obj_description('public.tap_table'::regclass, 'pg_class'), 'tap', 'the comment');
select ok(
  has_column_privilege('service_role', 'public.tap_table', 'Word', 'update')
    and not has_column_privilege('service_role', 'public.tap_table', 'id', 'update')
    and has_table_privilege('service_role', 'public.tap_table', 'insert')
    and not has_table_privilege('service_role', 'public.tap_table', 'delete, truncate, trigger'),
  'lets do what the table lets do'
);
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
select ok(
  not has_table_privilege('service_role', 'public.tap_table', 'insert')
    or exists (select from pg_default_acl where defaclobjtype = 'r' and defaclnamespace = 'public'::regnamespace),
  'and gets no rights of ours'
);
drop table public.tap_table;
create view public.tap_table as select 1 as theirs;
select ok(not interlock.expose('tap_table'), 'so does a view');
select ok(not interlock.conceal('tap_table'), 'which is not taken for ours either');
select is((select theirs from public.tap_table), 1, 'it is what it was');
drop view public.tap_table;
create materialized view public.tap_table as select 1 as theirs;
select ok(not interlock.expose('tap_table') and not interlock.conceal('tap_table'), 'a materialized view');
drop materialized view public.tap_table;
create sequence public.tap_table;
select ok(not interlock.expose('tap_table') and not interlock.conceal('tap_table'), 'a sequence');
drop sequence public.tap_table;
create type public.tap_table as enum ('theirs');
select ok(not interlock.expose('tap_table') and not interlock.conceal('tap_table'), 'and a type');
select has_type('public', 'tap_table', 'is there still');
drop type public.tap_table;
create view public.tap_other as select 1 as one from interlock.tap_table;
create view public.tap_table as select 1 as theirs;
select ok(not interlock.conceal('tap_table'), 'nor is a view ours because another one shows the table');
drop view public.tap_table, public.tap_other;
select ok(interlock.expose('tap_table'), 'a name that was freed gets a view when asked');
select ok(not interlock.conceal('no_such_table'), 'what is nothing of ours is not taken back');
select throws_ok($$select interlock.expose('no_such_table')$$, '42P01', null, 'nor shown');

-- Through the views -----------------------------------------------------------

insert into auth.users (id, aud, role, email)
values ('7e000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com');

set local role service_role;
insert into public.products (id, name, price, currency, available_quantity)
values ('7d000000-0000-4000-8000-000000000001', 'tap soap', 250, 'EUR', 10);
update public.products set available_quantity = available_quantity + 5 where name = 'tap soap';
select lives_ok(
  $$insert into public.products (id, name, price, currency) values ('7d000000-0000-4000-8000-000000000001', 'tap soap', 260, 'EUR')
    on conflict (id) do update set price = excluded.price$$,
  'the shop writes what is there or is not'
);
insert into public.promo_codes (code, discount_type, discount_value) values ('TAP', 'percentage', 10);
select throws_ok(
  $$insert into public.promo_codes (code, discount_type, discount_value, used_count) values ('TAP2', 'percentage', 10, 1)$$,
  '42501', null, 'the shop writes no column through a view that it may not write in the table'
);
update public.promo_codes set active = false, max_uses = 7 where code = 'TAP';
select throws_ok(
  $$update public.promo_codes set used_count = 1 where code = 'TAP'$$, '42501', null, 'nor changes one'
);
insert into public.promo_code_products select id, '7d000000-0000-4000-8000-000000000001' from public.promo_codes where code = 'TAP';
select throws_ok(v.sql, '42501', null, 'nor writes a table: ' || v.sql)
from (values
  ('insert into public.orders select * from public.orders'),
  ('update public.wallets set balance = 1'),
  ('delete from public.order_events'),
  ('delete from public.stock_movements'),
  ('update public.promo_redemptions set discount = 0')
) as v (sql);
insert into public.drivers (user_id) values ('7e000000-0000-4000-8000-000000000001');
update public.drivers set active = false where user_id = '7e000000-0000-4000-8000-000000000001';
update public.drivers set active = true where user_id = '7e000000-0000-4000-8000-000000000001';
insert into public.batches (reference, priority) values ('tap', 1), ('tap too', 2), ('tap three', 3);
update public.batches set priority = 4 where reference = 'tap';
update public.batches set status = 'claimed', driver_id = '7e000000-0000-4000-8000-000000000001' where reference = 'tap';
update public.batches set status = 'cancelled' where reference = 'tap three';
delete from public.batches where reference = 'tap too';
insert into public.products (name, price, currency, kind, active) values ('tap song', 1, 'EUR', 'digital', false);
insert into public.product_codes (product_id, code) select id, 'tap-1' from public.products where name = 'tap song';
reset role;
select is(
  (select concat_ws(' ', active, max_uses, used_count) from interlock.promo_codes where code = 'TAP'), 'f 7 0',
  'the shop makes and changes promo codes'
);
select is(
  (select count(*) from interlock.promo_code_products where product_id = '7d000000-0000-4000-8000-000000000001'), 1::bigint,
  'says what they are for'
);
select results_eq(
  $$select reference::text, status::text, priority, version::int from interlock.batches where reference like 'tap%' order by 1$$,
  $$values ('tap', 'claimed', 4, 3), ('tap three', 'cancelled', 3, 2)$$,
  'makes, changes and deletes batches'
);
select is(
  (select available_quantity::int from interlock.products where name = 'tap song'), 1, 'adds codes, which are stock'
);
select results_eq(
  $$select price::bigint, available_quantity::int from interlock.products where name = 'tap soap'$$,
  $$values (260::bigint, 15)$$,
  'the shop inserts, updates and upserts through the views'
);
select results_eq(
  $$select delta::int, reason::text from interlock.stock_movements m where product_id = '7d000000-0000-4000-8000-000000000001' order by id$$,
  $$values (10, 'opening'), (5, 'correction')$$,
  'and the ledger has it'
);

select throws_ok(
  $$insert into public.products (name, price, currency) values ('', 1, 'EUR')$$, '23514', null,
  'what a table refuses is refused through its view'
);

select set_config('request.jwt.claims', '{"sub": "7e000000-0000-4000-8000-000000000001", "role": "authenticated"}', true);
set local role authenticated;
select results_eq(
  $$select reference::text from public.batches where reference like 'tap%'$$, array['tap'], 'a driver reads the batch they hold'
);
select results_eq(
  $$select event::text from public.batch_events order by id$$, array['claimed'], 'and what they did'
);
select is((select active from public.drivers), true, 'and themselves');
select is_empty($$select name from public.products where name = 'tap song'$$, 'nobody sees what is not for sale');
select throws_ok(v.sql, '42501', null, 'a user does nothing but read: ' || v.sql)
from (values
  ($$update public.products set price = 1$$),
  ($$insert into public.products (name, price, currency) values ('x', 1, 'EUR')$$),
  ($$update public.batches set status = 'completed'$$),
  ($$update public.drivers set active = true$$),
  ($$insert into public.wallets values ('7e000000-0000-4000-8000-000000000001', 1, 'EUR')$$),
  ('select * from public.promo_codes'),
  ('select * from public.stock_movements'),
  ('select * from public.stock_differences')
) as v (sql);
reset role;
set local role anon;
select is((select count(*) from public.products where name like 'tap%'), 1::bigint, 'who is not signed in sees what is for sale');
select throws_ok('select * from ' || v.name, '42501', null, 'and not ' || v.name)
from unnest(array['public.orders', 'public.batches', 'public.drivers', 'public.wallets', 'public.promo_codes']) as v (name);
reset role;

-- The rest ---------------------------------------------------------------------

-- What a statement raises: SQLSTATE, code and details.
create function pg_temp.raised(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_detail text;
begin
  execute p_sql;
  return null;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('state', sqlstate, 'code', sqlerrm, 'details', v_detail::jsonb);
end
$$;

select is(
  interlock.problem('/a', 'is wrong'), jsonb '[{"pointer": "/a", "message": "is wrong"}]', 'a problem is a list of one'
);
select lives_ok($$select interlock.refuse_problems('[]'), interlock.refuse_problems(null)$$, 'no problem is none');
select is(
  pg_temp.raised($$select interlock.refuse_problems(interlock.problem('/a', 'is wrong') || interlock.problem('/b', 'too'))$$),
  '{
    "state": "PT400",
    "code": "VALIDATION_FAILED",
    "details": {
      "message": "The request is not valid.",
      "problems": [{"pointer": "/a", "message": "is wrong"}, {"pointer": "/b", "message": "too"}]
    }
  }',
  'all problems are refused together'
);
select is(
  (pg_temp.raised(format('select interlock.raise_error(%L)', e.code)) -> 'details') - 'message',
  case when e.again then '{"retryable": true}' else '{}' end::jsonb,
  format('%s: the same again %s', e.code, case when e.again then 'may do' else 'is no use' end)
)
from (values
  ('FORBIDDEN', false), ('UNAUTHENTICATED', false), ('PROMO_NOT_FOUND', false), ('INTERNAL', false),
  ('UPSTREAM_UNAVAILABLE', true), ('UPSTREAM_TIMEOUT', true), ('TOO_MANY_ATTEMPTS', true)
) as e (code, again);
select is(
  pg_temp.raised($$select interlock.raise_error('FORBIDDEN', '{"a": 1}')$$),
  '{"state": "PT403", "code": "FORBIDDEN", "details": {"a": 1, "message": "This user may not do that."}}',
  'an error tells a machine and a person'
);
select is(
  pg_temp.raised($$select interlock.raise_error('NO_SUCH_CODE')$$) -> 'details' ->> 'unknown_code', 'NO_SUCH_CODE',
  'a code that is none is an error of ours'
);

-- Jobs -------------------------------------------------------------------------

select is(
  interlock.schedule_jobs(), case when to_regprocedure('cron.schedule(text, text, text)') is null then 0 else 11 end,
  'without pg_cron nothing is scheduled'
);
-- As much of pg_cron as is needed, where it is not.
do $do$
begin
  if to_regprocedure('cron.schedule(text, text, text)') is null then
    create schema cron;
    create table cron.job (jobname text primary key, schedule text, command text);
    create function cron.schedule(text, text, text) returns bigint language sql as $$
      insert into cron.job values ($1, $2, $3)
      on conflict (jobname) do update set schedule = $2, command = $3
      returning 1::bigint
    $$;
  end if;
end
$do$;
select is(interlock.schedule_jobs(), 20, 'with it every job is');
select is(interlock.schedule_jobs(), 20, 'as often as one asks');
select set_eq(
  $$select jobname::text, schedule::text, command::text from cron.job where jobname like 'interlock-%'$$,
  $$select 'interlock-' || name, schedule, command from interlock.jobs()$$,
  'once each, and as the list says'
);
select set_eq(
  'select name, schedule, every from interlock.jobs()',
  $$values
    ('expire-orders', '* * * * *', interval '1 minute'), ('expire-promo-holds', '* * * * *', '1 minute'),
    ('expire-cart-reservations', '* * * * *', '1 minute'), ('expire-parked-sales', '* * * * *', '1 minute'),
    ('abandon-stale-sessions', '23 * * * *', '1 hour'), ('settle-slots', '* * * * *', '1 minute'), ('settle-points', '* * * * *', '1 minute'),
    ('settle-tiers', '13 3 * * *', '1 day'), ('remind-payments', '*/5 * * * *', '5 minutes'), ('purge-idempotency-keys', '17 * * * *', '1 hour'),
    ('purge-history', '29 3 * * *', '1 day'), ('make-history-parts', '*/10 * * * *', '10 minutes'), ('archive-history', '19 3 * * *', '1 day'), ('close-ledgers', '53 3 * * *', '1 day'),
    ('audit-inventory', '7 4 * * *', '1 day'), ('purge-run-log', '41 3 * * *', '1 day'), ('deliver', '* * * * *', '1 minute'), ('fill-links', '* * * * *', '1 minute'),
    ('write-back-stock', '* * * * *', '1 minute'), ('write-orders-out', '* * * * *', '1 minute')$$,
  'the list is this'
);

-- An audit that is due commits; there has been one.
select is(interlock.audit_inventory(false) ->> 'success', 'true', 'an audit is made');
update interlock.inventory_findings
set status = 'accepted', decided_at = now(), reason = 'before', decided_by = 'before'
where status = 'open';
-- What was done can only be committed outside of a test (tests/ship/jobs.rs).
-- Of many shops only this one is served.
select interlock.set_shop(s.id, 'moving') from interlock.shops s where s.id <> interlock.shop_id();
select lives_ok(j.command, 'it can be done: ' || j.jobname) from cron.job j where j.jobname like 'interlock-%' order by j.jobname;
reset role;
create function pg_temp.job(p_name text)
returns text
language sql
as $$ select command from interlock.jobs() where name = p_name $$;
create function pg_temp.refuse()
returns trigger
language plpgsql
as $$ begin raise exception 'not today'; end $$;
insert into interlock.products (id, name, price, currency, available_quantity)
select ('7e000000-0000-4000-8000-00000000000' || n)::uuid, 'tap', 1, 'EUR', 1000 from generate_series(1, 2) n;
select interlock.set_stock_slots(id, 4), interlock.use_slot(id, 1, true) from interlock.products where name = 'tap';
create trigger refuse before update on interlock.products for each row execute function pg_temp.refuse();
select throws_ok(
  pg_temp.job('settle-slots'), 'P0001',
  'settle-slots failed in 2 steps, first: ' || case when interlock.serves_shops() then 'shop ' || interlock.shop_id() || ' ' else '' end
    || '7e000000-0000-4000-8000-000000000001 P0001 not today', 'a job says where it failed'
);
drop trigger refuse on interlock.products;
select throws_ok(pg_temp.job('settle-slots'), '2D000', null, 'what it has done it commits');

-- What is long overdue: nothing can be ended now.
create trigger refuse before update on interlock.orders for each row execute function pg_temp.refuse();
create function pg_temp.overdue(p_name text)
returns text
language plpgsql
as $$
begin
  execute pg_temp.job(p_name);
  -- Where there are many shops it acts for one after the other, and says which.
  reset role;
  return null;
exception
  when raise_exception then
    return replace(sqlerrm, format('shop %s: ', interlock.shop_id()), '');
end
$$;
insert into auth.users (id, aud, role, email)
values ('7e000000-0000-4000-8000-000000000010', 'authenticated', 'authenticated', 'tap-jobs@example.com');
insert into interlock.promo_codes (id, code, discount_type, discount_value)
select ('7e000000-0000-4000-8000-00000000003' || n)::uuid, 'TAPJOBS' || n, 'percentage', 10 from generate_series(1, 2) n;
-- The shop has gone on with it.
insert into interlock.orders (id, user_id, status, fulfillment, currency, subtotal, total, payment_method, payment_expires_at)
values (
  '7e000000-0000-4000-8000-000000000023', '7e000000-0000-4000-8000-000000000010', 'confirmed', 'processing', 'EUR', 1, 1,
  'cash_on_delivery', now() - interval '1 hour'
);
select is(pg_temp.overdue('expire-orders'), null, 'no order is');
select is(pg_temp.overdue('expire-promo-holds'), null, 'no hold is');
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
select ('7e000000-0000-4000-8000-00000000002' || n)::uuid, '7e000000-0000-4000-8000-000000000010', 'pending_payment', 'EUR', 1, 1,
  'bank_transfer', now() - n * interval '5 minutes'
from generate_series(1, 2) n;
select interlock.take_promo_use(id, '7e000000-0000-4000-8000-000000000010', null, null, 1, 'EUR', now() - right(code, 1)::int * interval '5 minutes')
from interlock.promo_codes where code like 'TAPJOBS%';
create trigger refuse before update on interlock.promo_codes for each row execute function pg_temp.refuse();
insert into interlock.cart_reservations (user_id, id, reserved_since, expires_at)
select ('7e000000-0000-4000-8000-00000000004' || n)::uuid, ('7e000000-0000-4000-8000-00000000004' || n)::uuid, now(), now() - n * interval '5 minutes'
from generate_series(1, 2) n;
create trigger refuse before update on interlock.cart_reservations for each row execute function pg_temp.refuse();
select is(pg_temp.overdue('expire-cart-reservations'), null, 'and reservations');
alter table interlock.cart_reservations disable trigger refuse;
update interlock.cart_reservations set expires_at = expires_at - interval '1 second';
alter table interlock.cart_reservations enable trigger refuse;
select is(
  pg_temp.overdue('expire-cart-reservations'),
  'expire-cart-reservations: 1 reservations of carts are overdue for more than 10 minutes; the database''s log says why',
  'for longer they are counted'
);
drop trigger refuse on interlock.cart_reservations;
delete from interlock.cart_reservations;
select is(pg_temp.overdue('expire-cart-reservations'), null, 'until they are done');
select is(pg_temp.overdue('expire-orders'), null, 'what is for ten minutes may be done yet');
select is(pg_temp.overdue('expire-promo-holds'), null, 'holds, too');
-- What refers to accounts waits, where there are many shops, and a table that waits is not altered.
set constraints all immediate;
alter table interlock.orders disable trigger refuse;
update interlock.orders set payment_expires_at = payment_expires_at - interval '1 second'
where user_id = '7e000000-0000-4000-8000-000000000010';
alter table interlock.orders enable trigger refuse;
update interlock.promo_redemptions set held_until = held_until - interval '1 second'
where user_id = '7e000000-0000-4000-8000-000000000010';
select is(
  pg_temp.overdue('expire-orders'),
  'expire-orders: 1 orders are overdue for more than 10 minutes; `select public.cancel_order(''7e000000-0000-4000-8000-000000000022'')` says why',
  'what is for longer is named'
);
select is(
  pg_temp.overdue('expire-promo-holds'),
  'expire-promo-holds: 1 holds of promo codes are overdue for more than 10 minutes, the oldest of the code 7e000000-0000-4000-8000-000000000032; the database''s log says why',
  'holds, too'
);
alter table interlock.orders disable trigger refuse;
update interlock.orders set payment_expires_at = payment_expires_at - interval '10 minutes'
where user_id = '7e000000-0000-4000-8000-000000000010';
alter table interlock.orders enable trigger refuse;
update interlock.promo_redemptions set held_until = held_until - interval '10 minutes'
where user_id = '7e000000-0000-4000-8000-000000000010';
select matches(pg_temp.overdue('expire-orders'), ': 2 orders .*000000000022''', 'all are counted, and the oldest is named');
select matches(pg_temp.overdue('expire-promo-holds'), ': 2 holds .*000000000032;', 'holds, too');
drop trigger refuse on interlock.orders;
drop trigger refuse on interlock.promo_codes;
update interlock.orders set status = 'cancelled' where user_id = '7e000000-0000-4000-8000-000000000010';
update interlock.promo_redemptions set status = 'expired', ended_at = now() where user_id = '7e000000-0000-4000-8000-000000000010';
select is(pg_temp.overdue('expire-orders'), null, 'what is done is not overdue');
select is(pg_temp.overdue('expire-promo-holds'), null, 'holds neither');

-- The run log of pg_cron, whether it is here or not.
select lives_ok('select interlock.purge_run_log()', 'without a log nothing is purged from it');
do $do$
begin
  if to_regclass('cron.job_run_details') is null then
    alter table cron.job add jobid bigint generated always as identity;
    create table cron.job_run_details (jobid bigint, end_time timestamptz);
    grant usage on schema cron to public;
    grant all on cron.job, cron.job_run_details to public;
  end if;
end
$do$;
insert into cron.job (jobname, schedule, command) values ('tap-others', '* * * * *', 'select 1');
insert into cron.job_run_details (jobid, end_time)
select j.jobid, now() - age
from cron.job j, unnest(array[interval '6 days', interval '7 days', interval '8 days']) age
where j.jobname in ('interlock-settle-slots', 'tap-others');
select is(interlock.purge_run_log(), 1, 'runs of more than a week ago are purged');
select is(interlock.purge_run_log(), 0, 'once');
select results_eq(
  $$select j.jobname::text, count(*) from cron.job_run_details d join cron.job j using (jobid)
    where j.jobname in ('interlock-settle-slots', 'tap-others') group by 1 order by 1$$,
  $$values ('interlock-settle-slots', 2::bigint), ('tap-others', 3::bigint)$$,
  'and no others, nor those of other jobs'
);

select * from finish();
rollback;
