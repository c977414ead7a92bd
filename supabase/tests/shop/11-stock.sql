-- Stock cannot be oversold and every change of it is in the ledger: public.decrement_product_quantity,
-- the stock helpers, the triggers on products.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(51);

insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  ('7d000000-0000-4000-8000-000000000001', 'tap one', 100, 'EUR', 5, 'physical'),
  ('7d000000-0000-4000-8000-000000000002', 'tap two', 100, 'EUR', 7, 'physical'),
  ('7d000000-0000-4000-8000-000000000003', 'tap three', 100, 'EUR', 0, 'physical'),
  ('7d000000-0000-4000-8000-000000000004', 'tap digital', 100, 'EUR', 0, 'digital');

-- Product n.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$
  select ('7d000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid
$$;

create function pg_temp.stock()
returns int[]
language sql
as $$
  select array_agg(available_quantity order by id) from interlock.products where id::text like '7d000000%'
$$;

-- The ledger since the last look: `product delta balance reason`.
create temporary table seen as select coalesce(max(id), 0) as id from interlock.stock_movements;
create function pg_temp.ledger()
returns text
language sql
as $$
  with fresh as (
    select m.* from interlock.stock_movements m, seen s where m.id > s.id
  ),
  moved as (
    update seen set id = coalesce((select max(id) from fresh), id) returning 1
  )
  select string_agg(
    concat_ws(' ', right(product_id::text, 1), delta, balance_after, reason, right(reference_id::text, 1), right(actor::text, 1)),
    ', ' order by product_id, id
  )
  from fresh, moved
$$;

create function pg_temp.refusal(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_detail text;
  v_constraint text;
begin
  execute p_sql;
  return '"ok"';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail, v_constraint = constraint_name;
    return jsonb_strip_nulls(jsonb_build_object(
      'sqlstate', sqlstate,
      'message', case when sqlstate like 'PT%' then sqlerrm end,
      'detail', case when sqlstate like 'PT%' then nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}') end,
      'constraint', nullif(v_constraint, '')
    ));
end
$$;

-- Decrement ---------------------------------------------------------------

select is(
  public.decrement_product_quantity(pg_temp.p(1), 3),
  jsonb_build_object('success', true, 'product_id', pg_temp.p(1), 'old_quantity', 5, 'new_quantity', 2, 'deducted', 3),
  'a decrement answers with both quantities'
);
select is(pg_temp.ledger(), '1 -3 2 decrement', 'and is in the ledger');
select is(
  pg_temp.refusal($$select public.decrement_product_quantity(pg_temp.p(1), 3)$$),
  jsonb_build_object(
    'sqlstate', 'PT409',
    'message', 'INSUFFICIENT_INVENTORY',
    'detail', jsonb_build_object('shortages', jsonb_build_array(
      jsonb_build_object('product_id', pg_temp.p(1), 'requested', 3, 'available', 2)
    ))
  ),
  'more than there is: refused with requested and available'
);
select is(pg_temp.stock(), array[2, 7, 0, 0], 'and nothing changed');
select is(pg_temp.ledger(), null, 'nor in the ledger');
select is((public.decrement_product_quantity(pg_temp.p(1), 2) ->> 'new_quantity')::int, 0, 'the last units can be taken');
select is(
  pg_temp.refusal($$select public.decrement_product_quantity(pg_temp.p(1), 1)$$) ->> 'message',
  'INSUFFICIENT_INVENTORY',
  'an empty shelf refuses'
);
select is(
  pg_temp.refusal($$select public.decrement_product_quantity(pg_temp.p(9), 1)$$),
  jsonb_build_object(
    'sqlstate', 'PT404',
    'message', 'PRODUCT_NOT_FOUND',
    'detail', jsonb_build_object('product_ids', jsonb_build_array(pg_temp.p(9)))
  ),
  'an unknown product'
);
select is(
  pg_temp.refusal(format('select public.decrement_product_quantity(%s)', t.args)) #> '{detail,problems}' -> 0 ->> 'pointer',
  t.pointer,
  format('decrement(%s) names %s', t.args, t.pointer)
)
from (values
  ('pg_temp.p(2), 0', '/p_quantity'),
  ('pg_temp.p(2), -1', '/p_quantity'),
  ('pg_temp.p(2), null', '/p_quantity'),
  ('null, 1', '/p_product_id'),
  ('pg_temp.p(4), 1', '/p_product_id')
) as t (args, pointer);
select is(
  jsonb_array_length(pg_temp.refusal('select public.decrement_product_quantity(null, 0)') #> '{detail,problems}'),
  2,
  'all problems are told together'
);
select is(pg_temp.stock(), array[0, 7, 0, 0], 'refusals change nothing');

-- Helpers -----------------------------------------------------------------

select pg_temp.ledger();
update interlock.products set available_quantity = 5 where id = pg_temp.p(1);
select is(pg_temp.ledger(), '1 5 5 correction', 'the shop''s own SQL is a correction');

select is(
  pg_temp.refusal($$
    select interlock.take_stock(
      array[pg_temp.p(3), pg_temp.p(1), pg_temp.p(2)], array[1, 2, 8], 'test', null
    )
  $$) -> 'detail',
  jsonb_build_object('shortages', jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(2), 'requested', 8, 'available', 7),
    jsonb_build_object('product_id', pg_temp.p(3), 'requested', 1, 'available', 0)
  )),
  'all shortages are told together, and only those'
);
select is(pg_temp.stock(), array[5, 7, 0, 0], 'and what was not short was not taken either');
select is(
  pg_temp.refusal($$
    select interlock.take_stock(array[pg_temp.p(8), pg_temp.p(1), pg_temp.p(9)], array[1, 1, 1], 'test', null)
  $$) -> 'detail',
  jsonb_build_object('product_ids', jsonb_build_array(pg_temp.p(8), pg_temp.p(9))),
  'all unknown products are told together'
);

set local "request.jwt.claims" = '{"sub": "7c000000-0000-4000-8000-000000000007"}';
select lives_ok(
  $$
    select interlock.take_stock(
      array[pg_temp.p(2), pg_temp.p(1)], array[2, 1], 'test', '7e000000-0000-4000-8000-000000000005'
    )
  $$,
  'several products are taken at once'
);
select is(pg_temp.stock(), array[4, 5, 0, 0], 'each by its quantity');
select is(pg_temp.ledger(), '1 -1 4 test 5 7, 2 -2 5 test 5 7', 'with reason, reference and actor');
select lives_ok(
  $$
    select interlock.return_stock(
      array[pg_temp.p(4), pg_temp.p(2), pg_temp.p(1)], array[9, 2, 1], 'back', '7e000000-0000-4000-8000-000000000005'
    )
  $$,
  'and returned'
);
select is(pg_temp.stock(), array[5, 7, 0, 0], 'digital products are passed over');
select is(pg_temp.ledger(), '1 1 5 back 5 7, 2 2 7 back 5 7', 'in the ledger too');
update interlock.products set available_quantity = available_quantity + 1 where id = pg_temp.p(3);
select is(pg_temp.ledger(), '3 1 1 correction 7', 'the reason ends with the function that gave it');

select lives_ok(
  $$select interlock.take_stock(array[pg_temp.p(1)], array[1], 'test', null, array[100::bigint], 'EUR')$$,
  'terms that still hold'
);
select is(
  pg_temp.refusal(format('select interlock.take_stock(array[pg_temp.p(1)], array[1], ''test'', null, array[%s], %L)', t.price, t.currency)),
  '{"sqlstate": "55P03"}',
  format('a price of %s %s by now is transient', t.price, t.currency)
)
from (values ('101::bigint', 'EUR'), ('100::bigint', 'USD')) as t (price, currency);
update interlock.products set active = false where id = pg_temp.p(1);
select is(
  pg_temp.refusal($$select interlock.take_stock(array[pg_temp.p(1)], array[1], 'test', null, array[100::bigint], 'EUR')$$),
  '{"sqlstate": "55P03"}',
  'so is a product that is no longer for sale'
);
update interlock.products set active = true where id = pg_temp.p(1);

-- Constraints -------------------------------------------------------------

select is(pg_temp.refusal(t.sql), t.verdict::jsonb, t.sql)
from (values
  ('update interlock.products set available_quantity = -1 where id = pg_temp.p(1)',
    '{"sqlstate": "23514", "constraint": "products_available_quantity_nonnegative"}'),
  ($$insert into interlock.products (name, price, currency, available_quantity) values ('x', 1, 'EUR', -1)$$,
    '{"sqlstate": "23514", "constraint": "products_available_quantity_nonnegative"}'),
  ($$insert into interlock.products (name, price, currency) values ('x', -1, 'EUR')$$,
    '{"sqlstate": "23514", "constraint": "products_price_sane"}'),
  ($$insert into interlock.products (name, price, currency) values ('x', 1, 'eur')$$,
    '{"sqlstate": "23514", "constraint": "currency_code_format"}'),
  ($$insert into interlock.products (name, price, currency) values ('x', 1, 'EU')$$,
    '{"sqlstate": "23514", "constraint": "currency_code_format"}'),
  ($$insert into interlock.products (name, price, currency, kind) values ('x', 1, 'EUR', 'gas')$$,
    '{"sqlstate": "23514", "constraint": "products_kind_known"}'),
  ($$insert into interlock.products (name, price, currency) values ('', 1, 'EUR')$$,
    '{"sqlstate": "23514", "constraint": "label_length"}'),
  ('update interlock.products set id = gen_random_uuid() where id = pg_temp.p(1)',
    '{"sqlstate": "23514", "constraint": "products_identity_fixed"}'),
  ($$update interlock.products set kind = 'digital' where id = pg_temp.p(1)$$,
    '{"sqlstate": "23514", "constraint": "products_identity_fixed"}'),
  ('truncate interlock.products cascade', '{"sqlstate": "23001"}'),
  ('update interlock.stock_movements set delta = 1', '{"sqlstate": "23001"}'),
  ('delete from interlock.stock_movements', '{"sqlstate": "23001"}'),
  ('truncate interlock.stock_movements', '{"sqlstate": "23001"}')
) as t (sql, verdict);

-- The ledger follows whatever changes the stock ---------------------------

select pg_temp.ledger();
insert into interlock.products (id, name, price, currency, available_quantity)
select pg_temp.p(n), 'tap many', 1, 'EUR', n - 10 from generate_series(10, 12) n;
update interlock.products set available_quantity = available_quantity * 2, price = 2 where name = 'tap many';
select is(
  pg_temp.ledger(),
  '1 1 1 opening 7, 1 1 2 correction 7, 2 2 2 opening 7, 2 2 4 correction 7',
  'statements on many rows, each row that changed once'
);
update interlock.products set price = 3 where name = 'tap many';
select is(pg_temp.ledger(), null, 'another price is no movement');
insert into interlock.products (id, name, price, currency, available_quantity)
values (pg_temp.p(12), 'tap many', 1, 'EUR', 9)
on conflict on constraint products_pkey do update set available_quantity = excluded.available_quantity;
select is(pg_temp.ledger(), '2 5 9 correction 7', 'an upsert');
delete from interlock.products where id = pg_temp.p(12);
select is(pg_temp.ledger(), '2 -9 0 deleted 7', 'a deletion');
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

alter table interlock.products disable trigger products_record_stock;
update interlock.products set available_quantity = available_quantity + 1 where id = pg_temp.p(2);
alter table interlock.products enable trigger products_record_stock;
select results_eq(
  'select product_id, quantity::int, ledger_quantity::int from interlock.stock_differences',
  $$values (pg_temp.p(2), 8, 7)$$,
  'the view shows a product whose ledger does not add up'
);

-- A product that was sold stays ------------------------------------------

insert into interlock.orders (id, status, currency, subtotal, total, payment_method)
values ('7e000000-0000-4000-8000-000000000001', 'confirmed', 'EUR', 100, 100, 'cash_on_delivery');
insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
values ('7e000000-0000-4000-8000-000000000001', pg_temp.p(1), 1, 100, 'tap one', 'physical');
select is(
  pg_temp.refusal('delete from interlock.products where id = pg_temp.p(1)'),
  '{"sqlstate": "23503", "constraint": "products_sold_stay"}',
  'a product that was sold cannot be deleted'
);
select is(pg_temp.refusal('delete from interlock.products where id = pg_temp.p(3)'), '"ok"', 'another one can');

select * from finish();
rollback;
