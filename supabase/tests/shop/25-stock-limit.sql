-- A product has at most 1,000,000,000 units. Orders whose units would not fit end with an answer that says so, and a
-- sweep goes past them.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(22);

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('25-stock-limit ' || p_name)::uuid $$;

insert into auth.users (id, aud, role, email)
values (pg_temp.id('ann'), 'authenticated', 'authenticated', 'tap-ann@example.com');
insert into interlock.products (id, name, price, currency, available_quantity)
values
  (pg_temp.id('oil'), 'tap oil', 1000, 'EUR', 1000000000),
  (pg_temp.id('salt'), 'tap salt', 1000, 'EUR', 999999998),
  (pg_temp.id('tea'), 'tap tea', 1000, 'EUR', 10);

-- Nobody's order but ours is due.
update interlock.orders set payment_expires_at = now() + interval '1 day' where status = 'pending_payment';

-- An order of Ann's that is paid as p_method says, by default due since p_hours.
create function pg_temp.order_of(p_name text, p_lines jsonb, p_hours int, p_status text default 'pending_payment', p_method text default 'bank_transfer')
returns void
language sql
as $$
  insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at, paid_at)
  values (
    pg_temp.id(p_name), pg_temp.id('ann'), p_status, 'EUR', 1000, 1000, p_method,
    case when p_method = 'bank_transfer' then now() - make_interval(hours => p_hours) end,
    case when p_status = 'paid' then now() end
  );
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  select pg_temp.id(p_name), pg_temp.id(l.key), l.value::int, 1000, l.key, 'physical' from jsonb_each(p_lines) l
$$;

-- Where the orders are.
create function pg_temp.states()
returns text
language sql
as $$
  select string_agg(n || ' ' || o.status, ', ' order by n)
  from unnest(array['first', 'second', 'third', 'fourth', 'fifth', 'sixth']) n
  join interlock.orders o on o.id = pg_temp.id(n)
$$;

-- What a call is refused with.
create function pg_temp.refusal(p_sql text)
returns text
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
    return concat_ws(' ', sqlstate, sqlerrm, case when sqlstate like 'PT%' then nullif(v_detail, '')::jsonb - 'message' end);
end
$$;

select pg_temp.order_of('first', '{"oil": 1}', 6);
select pg_temp.order_of('second', '{"oil": 1, "salt": 3, "tea": 1}', 5);
select pg_temp.order_of('third', '{"salt": 2}', 4);
select pg_temp.order_of('fourth', '{"tea": 2}', 3);
select pg_temp.order_of('fifth', '{"tea": 3}', 2);
select pg_temp.order_of('sixth', '{"oil": 1}', 1, 'paid', 'cash_on_delivery');

-- What cannot end is left, and takes nobody's turn.
select is(interlock.expire_orders(0), 0, 'none, if none is asked for');
select is(interlock.expire_orders(2), 2, 'orders that cannot end take nobody''s turn');
select is(
  pg_temp.states(),
  'fifth pending_payment, first pending_payment, fourth expired, second pending_payment, sixth paid, third expired',
  'the oldest that can are ended'
);
select is(interlock.expire_orders(null), 1, 'the rest next time, a hundred at most if nobody says how many');
select is(interlock.expire_orders(100), 0, 'until there is none');
select is(
  (select array_agg(available_quantity::int order by name) from interlock.products where name like 'tap %' and id in (pg_temp.id('oil'), pg_temp.id('salt'), pg_temp.id('tea'))),
  array[1000000000, 1000000000, 15], 'stock comes back up to the limit'
);

-- Asked for one by one they say why.
select set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id('ann'))::text, true);
select is(
  pg_temp.refusal(format('select public.cancel_order(%L)', pg_temp.id('first'))),
  format('PT409 STOCK_LIMIT_EXCEEDED {"limit": 1000000000, "product_ids": ["%s"]}', pg_temp.id('oil')),
  'the buyer is told'
);
select set_config('request.jwt.claims', '', true);
select is(
  pg_temp.refusal(format('select public.%s(%L)', c.call, pg_temp.id(c.name))),
  format('PT409 STOCK_LIMIT_EXCEEDED {"limit": 1000000000, "product_ids": %s}', (
    select jsonb_agg(pg_temp.id(p) order by pg_temp.id(p)) from unnest(c.products) p
  )),
  format('so is the shop by %s: with every product that has no room', c.call)
)
from (values
  ('cancel_order', 'first', array['oil']),
  ('reject_payment', 'second', array['oil', 'salt']),
  ('refund_order', 'sixth', array['oil'])
) as c (call, name, products);
select is(
  (select array_agg(status::text order by status) from interlock.orders where id in (pg_temp.id('first'), pg_temp.id('second'), pg_temp.id('sixth'))),
  array['paid', 'pending_payment', 'pending_payment'], 'and nothing has happened'
);

update interlock.products set available_quantity = 5 where id in (pg_temp.id('oil'), pg_temp.id('salt'));
select is(interlock.expire_orders(100), 2, 'with room they end');
select is(
  pg_temp.refusal(format('select public.refund_order(%L)', pg_temp.id('sixth'))), null, 'all of them'
);
select is(
  (select array_agg(available_quantity::int order by name) from interlock.products where id in (pg_temp.id('oil'), pg_temp.id('salt'), pg_temp.id('tea'))),
  array[8, 8, 16], 'and all is back'
);
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

-- The limit is the table's.
select is(
  (select pg_get_constraintdef(oid) from pg_constraint where conname = 'products_available_quantity_sane'),
  format('CHECK ((available_quantity <= %s))', interlock.most_units()), 'table and functions have one limit'
);
select throws_ok(
  format('update interlock.products set available_quantity = %s where id = %L', n, pg_temp.id('tea')), '23514', null,
  format('%s units are too many', n)
)
from unnest(array['1000000001', '2147483647']) n;
select throws_ok(
  $$insert into interlock.products (name, price, currency, available_quantity) values ('tap', 1, 'EUR', 1000000001)$$, '23514', null,
  'from the beginning'
);
select lives_ok(
  format('update interlock.products set available_quantity = 1000000000 where id = %L', pg_temp.id('tea')), 'so many are not'
);
select is(
  pg_temp.refusal(format('update interlock.products set available_quantity = available_quantity + 1 where id = %L', pg_temp.id('tea'))),
  '23514 new row for relation "products" violates check constraint "products_available_quantity_sane"',
  'one more is refused under its name'
);

select is(
  pg_temp.refusal(format('select public.%s', replace(c.call, '{p}', pg_temp.id('tea')::text))),
  format('PT409 STOCK_LIMIT_EXCEEDED {"limit": 1000000000, "product_ids": ["%s"]}', pg_temp.id('tea')),
  'whoever books in is told: ' || c.call
)
from (values
  ('adjust_stock(''{p}'', 1)')
) as c (call);

select * from finish();
rollback;
