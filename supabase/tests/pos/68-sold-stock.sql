-- What a till has sold leaves the stock of its location: all of it or nothing, and the ledger says why.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(6);

insert into interlock.products (id, name, price, currency, available_quantity, decimals)
values
  ('68000000-0000-4000-8000-000000000001', 'flower', 1000, 'EUR', 0, 3),
  ('68000000-0000-4000-8000-000000000002', 'mug', 500, 'EUR', 0, 0);
insert into interlock.locations (id, name) values ('68100000-0000-4000-8000-000000000001', 'Store');
insert into interlock.inventory (id, product_id, location_id, quantity)
select
  ('68200000-0000-4000-8000-00000000000' || n)::uuid, ('68000000-0000-4000-8000-00000000000' || n)::uuid,
  '68100000-0000-4000-8000-000000000001', 10
from generate_series(1, 2) n;

-- Takes lines of products 1 and 2, the first from row p_row.
create function pg_temp.take(p_row int default 1)
returns void
language sql
as $$
  select interlock.take_sold_stock(
    jsonb_populate_record(null::interlock.sale_look, jsonb_build_object(
      'product_ids', array['68000000-0000-4000-8000-000000000001', '68000000-0000-4000-8000-000000000002', '68000000-0000-4000-8000-000000000001'],
      'inventory_ids', array[
        '68200000-0000-4000-8000-00000000000' || p_row, '68200000-0000-4000-8000-000000000002', '68200000-0000-4000-8000-00000000000' || p_row
      ],
      'quantities', array[1.5, 2, 0.5], 'untracked', array[false, false, false]
    )),
    '68100000-0000-4000-8000-000000000001', '68300000-0000-4000-8000-000000000001'
  )
$$;
create function pg_temp.stock()
returns text
language sql
as $$
  select string_agg(trim_scale(quantity)::text, ' ' order by id) from interlock.inventory where location_id = '68100000-0000-4000-8000-000000000001'
$$;

select lives_ok('select pg_temp.take()', 'lines of one product are added up');
select is(pg_temp.stock(), '8 8', 'and out of the stock');
select throws_ok(
  'select pg_temp.take(9)', '55P03', null, 'a row that has gone since it was looked at is not sold from'
);
select is(pg_temp.stock(), '8 8', 'nor is anything else of that sale');
update interlock.inventory set quantity = 7 where id = '68200000-0000-4000-8000-000000000001';
select results_eq(
  $$select trim_scale(m.delta)::text, m.reason::text, m.reference_id from interlock.stock_movements m
    where m.product_id = '68000000-0000-4000-8000-000000000001' order by m.id desc limit 2$$,
  $$values ('-1', 'correction', null), ('-2', 'pos_sale', '68300000-0000-4000-8000-000000000001'::uuid)$$,
  'what the shop changes afterwards is not of that sale'
);
select is_empty('select * from interlock.stock_differences', 'the books agree');

select * from finish();
rollback;
