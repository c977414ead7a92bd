-- What people call an order: its number.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(14);

insert into auth.users (id, aud, role, email)
values
  ('7c340000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com'),
  ('7c340000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-bob@example.com');
insert into interlock.products (id, name, price, currency, available_quantity)
values ('7d340000-0000-4000-8000-000000000001', 'tap oil', 1000, 'EUR', 100);

create function pg_temp.be(p_n int)
returns void
language sql
as $$
  select set_config(
    'request.jwt.claims',
    json_build_object('role', 'authenticated', 'sub', '7c340000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::text,
    true
  )
$$;
create function pg_temp.buy(p_quantity int, p_key text default null)
returns jsonb
language sql
as $$
  select public.checkout(
    jsonb_build_array(jsonb_build_object('product_id', '7d340000-0000-4000-8000-000000000001', 'quantity', p_quantity)),
    p_idempotency_key => p_key
  )::jsonb -> 'order'
$$;

create temporary table answers (n int primary key, answer jsonb);
grant all on answers to public;

set local role authenticated;
select pg_temp.be(1);
insert into answers values (1, pg_temp.buy(1)), (2, pg_temp.buy(1));
select throws_like('select pg_temp.buy(101)', 'INSUFFICIENT_INVENTORY', 'a checkout is refused');
insert into answers values (3, pg_temp.buy(1));
select pg_temp.be(2);
insert into answers values (4, pg_temp.buy(1, 'a key'));

select is(jsonb_typeof(answer -> 'number'), 'number', 'the answer to a checkout has a number') from answers where n = 1;
select ok(
  (select array_agg(answer -> 'number' order by n) = array_agg(answer -> 'number' order by (answer -> 'number')) from answers),
  'later orders have greater numbers'
);
select is((select count(distinct answer -> 'number') from answers), 4::bigint, 'each its own');
select ok((select min((answer ->> 'number')::bigint) > 1000 from answers), 'from 1001 on');
select is(
  pg_temp.buy(1, 'a key') -> 'number', (select answer -> 'number' from answers where n = 4), 'a repetition is told the same one'
);

select results_eq(
  'select id::text from public.orders where number = (select (answer ->> ''number'')::bigint from answers where n = 4)',
  $$select answer ->> 'id' from answers where n = 4$$,
  'a buyer finds their order by it'
);
select is_empty(
  'select id from public.orders where number = (select (answer ->> ''number'')::bigint from answers where n = 1)',
  'and nobody else''s'
);
reset role;

select set_config('request.jwt.claims', '{"role": "service_role"}', true);
set local role service_role;
select is(
  jsonb_path_query_array(public.list_orders(p_number => (answer ->> 'number')::bigint), '$.orders[*].id'),
  jsonb_build_array(answer -> 'id'),
  'the shop finds one order by its number'
)
from answers where n = 2;
select is(
  public.list_orders('paid', p_number => (answer ->> 'number')::bigint) -> 'orders', '[]', 'if it is what else was asked for'
)
from answers where n = 2;
select is(public.list_orders(p_number => 1) -> 'orders', '[]', 'there is none of a number that was not given');
reset role;

select throws_ok(
  format('update interlock.orders set number = 7 where id = %L', answer ->> 'id'),
  '23514',
  format('number, owner, amounts and payment method of order %s cannot change', answer ->> 'id'),
  'a number is for good'
)
from answers where n = 1;
select throws_ok(
  format(
    $$insert into interlock.orders (number, status, currency, subtotal, total, payment_method) values (%s, 'confirmed', 'EUR', 1, 1, 'cash_on_delivery')$$,
    answer ->> 'number'
  ),
  '23505', null, 'and never another order''s'
)
from answers where n = 1;

set local enable_seqscan = off;
create function pg_temp.plan()
returns text
language plpgsql
as $$
declare
  v_line text;
  v_plan text := '';
begin
  for v_line in execute 'explain (costs off) select id from interlock.orders where number = 1001' loop
    v_plan := v_plan || v_line || E'\n';
  end loop;
  return v_plan;
end
$$;
analyze interlock.orders;
select matches(pg_temp.plan(), 'orders_number_key', 'it is looked up, not searched for');

select * from finish();
rollback;
