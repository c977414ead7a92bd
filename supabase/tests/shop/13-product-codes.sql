-- Codes of digital products: exactly the quantity or nothing, each to one order, and never
-- another stock than the number of free codes.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(64);

insert into auth.users (id, aud, role, email)
values ('7c000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com');

-- 1 and 2 are digital, 3 is not.
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  ('7d000000-0000-4000-8000-000000000001', 'tap gift', 2500, 'EUR', 99, 'digital'),
  ('7d000000-0000-4000-8000-000000000002', 'tap game', 1000, 'EUR', 0, 'digital'),
  ('7d000000-0000-4000-8000-000000000003', 'tap oil', 100, 'EUR', 10, 'physical');

create function pg_temp.p(p_n int)
returns uuid
language sql
as $$
  select ('7d000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid
$$;

create function pg_temp.o(p_n int)
returns uuid
language sql
as $$
  select ('7e000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid
$$;

create function pg_temp.stock(p_n int)
returns int
language sql
as $$
  select available_quantity from interlock.products where id = pg_temp.p(p_n)
$$;

-- The codes of a product: `code`, with `>order` and `!` once delivered.
create function pg_temp.codes(p_n int)
returns text
language sql
as $$
  select string_agg(
    c.code || coalesce('>' || right(c.order_id::text, 1), '') || case when c.used_at is null then '' else '!' end,
    ' ' order by c.id
  )
  from interlock.product_codes c
  where c.product_id = pg_temp.p(p_n)
$$;

create function pg_temp.verdict(p_sql text)
returns text
language plpgsql
as $$
declare
  v_constraint text;
begin
  execute p_sql;
  return 'ok';
exception
  when others then
    get stacked diagnostics v_constraint = constraint_name;
    return concat_ws(' ', sqlstate, case when sqlstate like 'PT%' then sqlerrm end, nullif(v_constraint, ''));
end
$$;

create function pg_temp.detail(p_sql text)
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
    return nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}');
end
$$;

insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at, paid_at, cancelled_at)
values
  (pg_temp.o(1), '7c000000-0000-4000-8000-000000000001', 'confirmed', 'EUR', 0, 0, 'cash_on_delivery', null, null, null),
  (pg_temp.o(2), '7c000000-0000-4000-8000-000000000001', 'paid', 'EUR', 0, 0, 'wallet', null, now(), null),
  (pg_temp.o(3), '7c000000-0000-4000-8000-000000000001', 'cancelled', 'EUR', 0, 0, 'cash_on_delivery', null, null, now()),
  (pg_temp.o(4), '7c000000-0000-4000-8000-000000000001', 'pending_payment', 'EUR', 0, 0, 'bank_transfer', now() + interval '1 day', null, null);

-- Stock is the number of free codes ---------------------------------------

select is(pg_temp.stock(1), 0, 'a new digital product has no stock, whatever the insert says');
insert into interlock.product_codes (product_id, code) select pg_temp.p(1), 'a' || n from generate_series(1, 6) n;
insert into interlock.product_codes (product_id, code) values (pg_temp.p(1), 'a7'), (pg_temp.p(2), 'b1'), (pg_temp.p(2), 'b2');
select is(array[pg_temp.stock(1), pg_temp.stock(2)], array[7, 2], 'codes that come are stock');
delete from interlock.product_codes where code in ('a7', 'b2') and product_id in (pg_temp.p(1), pg_temp.p(2));
select is(array[pg_temp.stock(1), pg_temp.stock(2)], array[6, 1], 'codes that go are none');
select is(
  (
    select string_agg(concat_ws(' ', right(product_id::text, 1), delta, balance_after, reason), ', ' order by product_id, id)
    from interlock.stock_movements
    where product_id in (pg_temp.p(1), pg_temp.p(2))
  ),
  '1 6 6 codes, 1 1 7 codes, 1 -1 6 codes, 2 2 2 codes, 2 -1 1 codes',
  'the ledger has it'
);
update interlock.product_codes set order_id = pg_temp.o(1) where product_id = pg_temp.p(1) and code = 'a6';
select is(pg_temp.stock(1), 5, 'a code given to an order by hand is no longer stock');
update interlock.product_codes set order_id = null where product_id = pg_temp.p(1) and code = 'a6';
select is(pg_temp.stock(1), 6, 'a code taken back by hand is stock again');
update interlock.product_codes set created_at = now() where product_id = pg_temp.p(1);
select is(pg_temp.stock(1), 6, 'other changes are no change of stock');
select lives_ok(
  $$
    insert into interlock.product_codes (product_id, code) values (pg_temp.p(1), 'a1')
    on conflict do nothing
  $$,
  'a code that is there already'
);
select is(pg_temp.stock(1), 6, 'counts once');

select is(pg_temp.verdict(t.sql), t.verdict, t.sql)
from (values
  ('update interlock.products set available_quantity = 5 where id = pg_temp.p(1)', '23514 products_digital_stock_is_codes'),
  ('update interlock.products set available_quantity = 7 where id = pg_temp.p(1)', '23514 products_digital_stock_is_codes'),
  ('update interlock.products set price = 2600 where id = pg_temp.p(1)', 'ok'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(1), 'a1')$$, '23505 product_codes_unique'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(2), 'a1')$$, 'ok'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(3), 'x')$$, '23514 product_codes_product_is_digital'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(1), '')$$, '23514 product_codes_code_length'),
  ($$insert into interlock.product_codes (product_id, code, used_at) values (pg_temp.p(1), 'x', now())$$, '23514 product_codes_delivered_has_order'),
  ($$insert into interlock.product_codes (product_id, code) values (pg_temp.p(9), 'x')$$, '23503 product_codes_product_id_fkey'),
  ('update interlock.product_codes set product_id = pg_temp.p(2) where product_id = pg_temp.p(1)', '23514 product_codes_product_fixed'),
  ('delete from interlock.products where id = pg_temp.p(1)', '23503 product_codes_product_id_fkey'),
  ('truncate interlock.product_codes', '23001')
) as t (sql, verdict);
delete from interlock.product_codes where product_id = pg_temp.p(2) and code = 'a1';
select is_empty('select * from interlock.code_differences', 'stock and free codes agree');

-- claim_product_codes_atomic ----------------------------------------------

set local role service_role;
select results_eq(
  'select code from public.claim_product_codes_atomic(pg_temp.p(1), 2, pg_temp.o(1))',
  $$values ('a1'), ('a2')$$,
  'exactly the quantity, oldest first'
);
reset role;
select is(pg_temp.codes(1), 'a1>1 a2>1 a3 a4 a5 a6', 'an unpaid order reserves them');
select is(pg_temp.stock(1), 4, 'they are no longer stock');
select results_eq(
  'select delta::int, balance_after::int, reason::text from interlock.stock_movements where reference_id = pg_temp.o(1)',
  $$values (-2, 4, 'codes')$$,
  'the ledger says for which order'
);
select results_eq(
  'select code from public.claim_product_codes_atomic(pg_temp.p(1), 2, pg_temp.o(1))',
  $$values ('a1'), ('a2')$$,
  'asked again, the same codes'
);
select is(pg_temp.stock(1), 4, 'and nothing more is taken');
select results_eq(
  'select id, code from public.claim_product_codes_atomic(pg_temp.p(1), 1, pg_temp.o(2))',
  $$select id, code::text from interlock.product_codes where product_id = pg_temp.p(1) and code = 'a3'$$,
  'another order, another code, with its id'
);
select is(pg_temp.codes(1), 'a1>1 a2>1 a3>2! a4 a5 a6', 'a paid order gets it delivered');

select is(
  pg_temp.detail('select * from public.claim_product_codes_atomic(pg_temp.p(1), 4, pg_temp.o(4))'),
  jsonb_build_object('shortages', jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(1), 'requested', 4, 'available', 3)
  )),
  'one too many: refused with requested and available'
);
select is(pg_temp.verdict(format('select * from public.claim_product_codes_atomic(%s)', t.args)), t.verdict, t.args || ': ' || t.verdict)
from (values
  ('pg_temp.p(1), 4, pg_temp.o(4)', 'PT409 INSUFFICIENT_INVENTORY'),
  ('pg_temp.p(1), 1, pg_temp.o(9)', 'PT404 ORDER_NOT_FOUND'),
  ('pg_temp.p(9), 1, pg_temp.o(1)', 'PT404 PRODUCT_NOT_FOUND'),
  ('pg_temp.p(1), 1, pg_temp.o(3)', 'PT409 ORDER_STATE_CONFLICT'),
  ('pg_temp.p(1), 3, pg_temp.o(1)', 'PT400 VALIDATION_FAILED'),
  ('pg_temp.p(3), 1, pg_temp.o(1)', 'PT400 VALIDATION_FAILED'),
  ('pg_temp.p(1), 0, pg_temp.o(1)', 'PT400 VALIDATION_FAILED'),
  ('pg_temp.p(1), -1, pg_temp.o(1)', 'PT400 VALIDATION_FAILED'),
  ('pg_temp.p(1), null, pg_temp.o(1)', 'PT400 VALIDATION_FAILED'),
  ('null, 1, pg_temp.o(1)', 'PT400 VALIDATION_FAILED'),
  ('pg_temp.p(1), 1, null', 'PT400 VALIDATION_FAILED')
) as t (args, verdict);
select is(
  jsonb_array_length(pg_temp.detail('select * from public.claim_product_codes_atomic(null, null, null)') -> 'problems'),
  3,
  'all problems are told together'
);
select is(pg_temp.codes(1), 'a1>1 a2>1 a3>2! a4 a5 a6', 'refusals take nothing');
select is(pg_temp.stock(1), 3, 'nor stock');

-- Delivered codes stay ----------------------------------------------------

select is(pg_temp.verdict(t.sql || $$ where product_id = pg_temp.p(1) and code = 'a3'$$), t.verdict, t.sql)
from (values
  ('update interlock.product_codes set order_id = null, used_at = null', '23514 product_codes_delivered_stay'),
  ('update interlock.product_codes set used_at = null', '23514 product_codes_delivered_stay'),
  ('update interlock.product_codes set order_id = pg_temp.o(1)', '23514 product_codes_delivered_stay'),
  ($$update interlock.product_codes set code = 'z'$$, '23514 product_codes_delivered_stay'),
  ('delete from interlock.product_codes', '23514 product_codes_delivered_stay')
) as t (sql, verdict);

-- Who sees them -----------------------------------------------------------

set local "request.jwt.claims" = '{"role": "authenticated", "sub": "7c000000-0000-4000-8000-000000000001"}';
set local role authenticated;
select results_eq(
  'select code::text from interlock.product_codes order by 1', $$values ('a3')$$, 'the buyer sees the codes of what is paid'
);
reset role;
update interlock.orders set status = 'paid' where id = pg_temp.o(1);
select is(pg_temp.codes(1), 'a1>1! a2>1! a3>2! a4 a5 a6', 'payment delivers');
set local role authenticated;
select results_eq(
  'select code::text from interlock.product_codes order by 1',
  $$values ('a1'), ('a2'), ('a3')$$,
  'and shows'
);
reset role;

-- Under a reference ---------------------------------------------------------

create temporary table claimed as
  select * from public.claim_product_codes_atomic(pg_temp.p(1), 1, pg_temp.o(4), 'job 1');
select results_eq('select code from claimed', $$values ('a4')$$, 'codes claimed under a reference');
select is(
  (select reference from interlock.stock_movements where reference_id = pg_temp.o(4)), 'job 1', 'the ledger has it'
);
update interlock.orders set status = 'cancelled' where id = pg_temp.o(4);
select is(
  pg_temp.verdict('select * from public.claim_product_codes_atomic(pg_temp.p(1), 1, pg_temp.o(4))'),
  'PT409 ORDER_STATE_CONFLICT',
  'an order that has ended gets none'
);
select results_eq(
  $$select * from public.claim_product_codes_atomic(pg_temp.p(1), 1, pg_temp.o(4), 'job 1')$$, 'select * from claimed',
  'but what was answered is answered again'
);
select is(pg_temp.codes(1), 'a1>1! a2>1! a3>2! a4 a5 a6', 'and nothing is taken');
select is(pg_temp.verdict(format('select * from public.claim_product_codes_atomic(%s, ''job 1'')', t.args)), t.verdict, t.args)
from (values
  ('pg_temp.p(2), 1, pg_temp.o(4)', 'PT422 IDEMPOTENCY_KEY_REUSED'),
  ('pg_temp.p(1), 2, pg_temp.o(4)', 'PT422 IDEMPOTENCY_KEY_REUSED'),
  ('pg_temp.p(1), 1, pg_temp.o(1)', 'PT422 IDEMPOTENCY_KEY_REUSED')
) as t (args, verdict);

select is_empty('select * from interlock.stock_differences', 'the ledger adds up');
select is_empty('select * from interlock.code_differences', 'stock and free codes agree');

alter table interlock.products disable trigger products_stock_settled;
update interlock.products set available_quantity = 9 where id = pg_temp.p(1);
alter table interlock.products enable trigger products_stock_settled;
select results_eq(
  'select available_quantity, free_codes::int from interlock.code_differences',
  $$values (9, 3)$$,
  'the view shows a product whose stock is not its codes'
);

select * from finish();
rollback;
