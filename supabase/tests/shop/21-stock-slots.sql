-- Stock in slots, in one session: switching, selling, refusing, the shop's own SQL, the ledger. What
-- sessions do to each other is in tests/areas and tests/prove.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(96);

-- Limits of customers have a file of their own: 31-open-orders.sql.
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, confirmation_window = null;

-- Of the rows that are here already nothing is left to settle.
select interlock.settle_slots();

insert into auth.users (id, aud, role, email)
values ('21000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-21@example.com');
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  ('21000000-0000-4000-8000-000000000001', 'hot', 100, 'EUR', 100, 'physical'),
  ('21000000-0000-4000-8000-000000000002', 'plain', 100, 'EUR', 5, 'physical'),
  ('21000000-0000-4000-8000-000000000003', 'hot too', 100, 'EUR', 64, 'physical'),
  ('21000000-0000-4000-8000-000000000004', 'digital', 100, 'EUR', 0, 'digital'),
  ('21000000-0000-4000-8000-000000000006', 'of somebody else', 100, 'EUR', 640, 'physical');

-- Product n.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('21000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;

-- Product n: column, exact stock, `granted/used` of its slots added up.
create function pg_temp.state(p_n int)
returns text
language sql
as $$
  select format('%s %s %s/%s', p.available_quantity, s.available_quantity, c.granted, c.used)
  from interlock.products p
  cross join lateral public.get_stock(array[p.id]) s
  left join lateral (
    select sum(granted) as granted, sum(used) as used from interlock.counter_slots where owner_id = p.id
  ) c on true
  where p.id = pg_temp.p(p_n)
$$;

create function pg_temp.slots(p_n int)
returns int[]
language sql
as $$
  select array_agg(granted - used order by slot) from interlock.counter_slots where owner_id = pg_temp.p(p_n)
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
    concat_ws(' ', right(product_id::text, 1), delta, coalesce(balance_after::text, '?'), reason), ', '
    order by id
  )
  from fresh, moved
$$;

-- What a statement answers: its value, or the error as `code detail`.
create function pg_temp.answer(p_sql text)
returns text
language plpgsql
as $$
declare
  v_answer text;
  v_detail text;
  v_constraint text;
begin
  execute p_sql into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail, v_constraint = constraint_name;
    return concat_ws(' ', case when sqlstate like 'PT%' then sqlerrm else sqlstate end,
      nullif(v_constraint, ''), case when sqlstate like 'PT%' then nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}')::text else nullif(v_detail, '') end);
end
$$;

-- Buys `product quantity, …` as the customer: the order's id, or the error.
create function pg_temp.buy(p_cart text)
returns text
language plpgsql
as $$
declare
  v_answer text;
begin
  perform set_config('request.jwt.claims', '{"sub": "21000000-0000-4000-8000-0000000000aa", "role": "authenticated"}', true);
  v_answer := pg_temp.answer(format('select public.checkout(%L) #>> ''{order,id}''', (
    select jsonb_agg(jsonb_build_object(
      'product_id', pg_temp.p(split_part(l, ' ', 1)::int), 'quantity', split_part(l, ' ', 2)::int
    ))
    from regexp_split_to_table(p_cart, ', ') l
  )));
  perform set_config('request.jwt.claims', '', true);
  return v_answer;
end
$$;

create function pg_temp.short(variadic p_lines int[])
returns text
language sql
as $$
  select 'INSUFFICIENT_INVENTORY ' || jsonb_build_object('shortages', jsonb_agg(jsonb_build_object(
    'product_id', pg_temp.p(p_lines[i]), 'requested', p_lines[i + 1], 'available', p_lines[i + 2]
  ) order by i))::text
  from generate_series(1, cardinality(p_lines), 3) i
$$;

-- Somebody else's slots, which nothing here may touch.
select public.set_stock_slots(pg_temp.p(6), 4);
select pg_temp.buy('6 15') from generate_series(1, 4);
select pg_temp.ledger();

-- Switching ---------------------------------------------------------------

select is(
  public.set_stock_slots(pg_temp.p(1), 4),
  jsonb_build_object('success', true, 'product_id', pg_temp.p(1), 'slots', 4, 'available_quantity', 100),
  'slots are switched on'
);
select is(pg_temp.slots(1), array[25, 25, 25, 25], 'the stock is shared out');
select is(pg_temp.state(1), '100 100 100/0', 'and is where it was for whoever reads it');
select is(pg_temp.ledger(), null, 'no stock has moved');
select is(
  (select stock_slots from public.get_stock(array[pg_temp.p(1)])), 4, 'get_stock says how many slots'
);

select is(pg_temp.answer(format('select public.set_stock_slots(%s)', t.arguments)), t.answer, t.arguments)
from (values
  ('null, 4', 'VALIDATION_FAILED {"problems": [{"message": "is required", "pointer": "/p_product_id"}]}'),
  ('pg_temp.p(1), null', 'VALIDATION_FAILED {"problems": [{"message": "must be an integer from 0 to 256", "pointer": "/p_slots"}]}'),
  ('pg_temp.p(1), -1', 'VALIDATION_FAILED {"problems": [{"message": "must be an integer from 0 to 256", "pointer": "/p_slots"}]}'),
  ('pg_temp.p(1), 257', 'VALIDATION_FAILED {"problems": [{"message": "must be an integer from 0 to 256", "pointer": "/p_slots"}]}'),
  ('pg_temp.p(4), 4', 'VALIDATION_FAILED {"problems": [{"message": "is a digital product: its stock is its codes", "pointer": "/p_product_id"}]}'),
  ('pg_temp.p(9), 4', 'PRODUCT_NOT_FOUND {"product_ids": ["21000000-0000-4000-8000-000000000009"]}')
) as t (arguments, answer);
select is(
  pg_temp.answer('select public.set_stock_slots(pg_temp.p(4), 0) ->> ''slots'''), '0', 'off is off for any product'
);
select is(
  pg_temp.answer(format('select count(*) from public.get_stock(%s)', t.arguments)), t.answer, 'get_stock ' || t.arguments
)
from (values
  ('null', 'VALIDATION_FAILED {"problems": [{"message": "must have 1 to 1000 ids", "pointer": "/p_product_ids"}]}'),
  ('''{}''', 'VALIDATION_FAILED {"problems": [{"message": "must have 1 to 1000 ids", "pointer": "/p_product_ids"}]}'),
  ('array_fill(pg_temp.p(1), array[1001])', 'VALIDATION_FAILED {"problems": [{"message": "must have 1 to 1000 ids", "pointer": "/p_product_ids"}]}'),
  ('array_fill(pg_temp.p(1), array[1000])', '1'),
  ('array[pg_temp.p(9)]', '0')
) as t (arguments, answer);

-- Selling -----------------------------------------------------------------

select matches(pg_temp.buy('1 2'), '^[0-9a-f-]{36}$', 'two units are sold');
select is(pg_temp.state(1), '100 98 100/2', 'from a slot: the column is not touched');
select is(
  (select count(*)::int from interlock.counter_slots where owner_id = pg_temp.p(1) and used > 0), 1, 'from one slot'
);
select is(pg_temp.ledger(), '1 -2 ? checkout', 'the ledger has the sale at once');
select is(pg_temp.buy('1 99'), pg_temp.short(1, 99, 98), 'more than there is: refused with the exact stock');
select is(pg_temp.buy('2 6, 1 99'), pg_temp.short(1, 99, 98, 2, 6, 5), 'all that is short is told');
select is(pg_temp.state(1), '100 98 100/2', 'refusals change nothing');

select matches(pg_temp.buy('1 30'), '^[0-9a-f-]{36}$', 'more than a slot has, and less than there is, is sold');
select is(pg_temp.state(1), '68 68 68/0', 'the slots were called in and shared out again');
select is(pg_temp.ledger(), '1 -30 ? checkout', 'and only the sale is in the ledger');

select matches(pg_temp.buy('1 1, 2 1'), '^[0-9a-f-]{36}$', 'a cart with and without slots');
select is(pg_temp.state(1), '68 67 68/1', 'one from a slot');
select is(pg_temp.state(2), '4 4 /', 'one from the row');
select is(pg_temp.ledger(), '2 -1 4 checkout, 1 -1 ? checkout', 'both in the ledger');

select matches(pg_temp.buy('1 10'), '^[0-9a-f-]{36}$', 'ten more');
select matches(pg_temp.buy('1 18'), '^[0-9a-f-]{36}$', 'then more than any slot has');
select is(pg_temp.state(1), '39 39 0/0', 'little is left: the slots stay empty');
select matches(pg_temp.buy('1 38'), '^[0-9a-f-]{36}$', 'all but one');
select is(pg_temp.buy('1 2'), pg_temp.short(1, 2, 1), 'two are too many');
select matches(pg_temp.buy('1 1'), '^[0-9a-f-]{36}$', 'the very last one is sold');
select is(pg_temp.buy('1 1'), pg_temp.short(1, 1, 0), 'and no other');
select is(pg_temp.state(1), '0 0 0/0', 'empty');
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

-- The shop's own SQL ------------------------------------------------------

select pg_temp.ledger();
update interlock.products set available_quantity = available_quantity + 64 where id = pg_temp.p(1);
select is(pg_temp.ledger(), '1 64 ? correction', 'goods come in');
select is(pg_temp.state(1), '64 64 0/0', 'into the row');
select matches(pg_temp.buy('1 0'), 'VALIDATION_FAILED', 'nothing is no quantity');
select matches(pg_temp.buy('1 1'), '^[0-9a-f-]{36}$', 'the next sale');
select is(pg_temp.state(1), '63 63 0/0', 'is one short of 16 for each slot');
update interlock.products set available_quantity = available_quantity + 2 where id = pg_temp.p(1);
select matches(pg_temp.buy('1 1'), '^[0-9a-f-]{36}$', 'the one after more goods came in');
select is(pg_temp.state(1), '64 64 64/0', 'fills the slots');

update interlock.products set available_quantity = available_quantity + 1 where id = pg_temp.p(1);
update interlock.products set available_quantity = available_quantity - 1 where id = pg_temp.p(1);
select is(pg_temp.state(1), '64 64 64/0', 'goods that were not granted go out without a word to the slots');
select matches(pg_temp.buy('1 4'), '^[0-9a-f-]{36}$', 'four are sold');
update interlock.products set available_quantity = available_quantity - 10 where id = pg_temp.p(1);
select is(pg_temp.state(1), '54 50 4/4', 'goods go out: what was granted and not sold is taken back');
select is(pg_temp.state(6), '640 580 640/60', 'and nothing of somebody else''s');
select is(
  pg_temp.answer(format('update interlock.products set available_quantity = 3 where id = %L', pg_temp.p(1))),
  '23514 products_available_quantity_nonnegative', 'less than was sold is refused'
);
update interlock.products set available_quantity = 4 where id = pg_temp.p(1);
select is(pg_temp.state(1), '4 0 4/4', 'all that was not sold may go');
select is(pg_temp.buy('1 1'), pg_temp.short(1, 1, 0), 'there is none left then');
select is(
  pg_temp.answer(format(t.sql, pg_temp.p(1))), '23514 slots_counted', t.sql
)
from (values
  ('update interlock.products set stock_slots = 0 where id = %L'),
  ('update interlock.products set stock_slots = 5 where id = %L'),
  ('delete from interlock.products where id = %L'),
  ('insert into interlock.products (name, price, currency, stock_slots) values (%L, 1, ''EUR'', 2)')
) as t (sql);
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

-- Settling, other numbers, off --------------------------------------------

select public.set_stock_slots(pg_temp.p(3), 2);
select matches(pg_temp.buy('3 3'), '^[0-9a-f-]{36}$', 'three are sold');
select is(public.settle_slots(interlock.new_id()), '{"success": true, "settled": 0}', 'who names one settles no other');
select is(interlock.settle_slots(), 3, 'three products are settled');
select is(pg_temp.state(3), '61 61 60/0', 'the column is exact again, and what is left is shared out');
select is(pg_temp.state(1), '0 0 0/0', 'nothing is left to share out');
select is(pg_temp.state(6), '580 580 580/0', 'somebody else''s is');
select pg_temp.buy('6 1');
select is(public.settle_slots(), '{"success": true, "settled": 1}', 'then only what was sold from slots since');
select matches(pg_temp.buy('3 5'), '^[0-9a-f-]{36}$', 'five are sold');
select is((public.set_stock_slots(pg_temp.p(3), 3) ->> 'available_quantity')::int, 56, 'another number of slots');
select is(pg_temp.slots(3), array[18, 18, 18], 'shares out anew');
select matches(pg_temp.buy('3 5'), '^[0-9a-f-]{36}$', 'five are sold');
select is(
  public.decrement_product_quantity(pg_temp.p(3), 1) - 'product_id',
  '{"success": true, "old_quantity": 51, "new_quantity": 50, "deducted": 1}', 'a decrement answers exactly'
);
select is((public.set_stock_slots(pg_temp.p(3), 0) ->> 'available_quantity')::int, 50, 'off');
select is(pg_temp.state(3), '50 50 /', 'an ordinary product again');
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

-- Orders that end, prices that change -------------------------------------

select public.set_stock_slots(pg_temp.p(3), 2);
create temporary table bought as select pg_temp.buy('3 7, 2 1')::uuid as id;
select interlock.move_order(id, array['confirmed'], 'cancelled', 'ORDER_STATE_CONFLICT') from bought;
select is(pg_temp.state(3), '57 50 50/7', 'a cancelled order gives its units back to the row');
select is(
  pg_temp.answer(format(
    'select interlock.take_from_slots(array[%1$L]::uuid[], array[1], ''test'', null, array[%2$s]::bigint[], %3$L, array[%1$L]::uuid[])',
    pg_temp.p(3), t.price, t.currency
  )),
  '55P03', t.price || ' ' || t.currency
)
from (values (99, 'EUR'), (100, 'USD')) as t (price, currency);
select is(
  pg_temp.answer(format('select interlock.use_slot(%L, 26, %s)', pg_temp.p(3), w)), 'IL002', 'no slot has 26: ' || w
)
from unnest(array['false', 'true']) w;
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

-- Products that go, and as many as are let in ------------------------------

insert into interlock.products (id, name, price, currency, available_quantity) values (pg_temp.p(5), 'gone', 1, 'EUR', 40);
select public.set_stock_slots(pg_temp.p(5), 2);
select lives_ok(format('delete from interlock.products where id = %L', pg_temp.p(5)), 'a product that was never sold may go');
select is_empty(format('select from interlock.counter_slots where owner_id = %L', pg_temp.p(5)), 'and its slots with it');
select is(
  (select sum(delta)::int from interlock.stock_movements where product_id = pg_temp.p(5)), 0, 'its ledger ends at nothing'
);

update interlock.settings set checkouts_per_product = 2;
select matches(pg_temp.buy('3 1, 2 1'), '^[0-9a-f-]{36}$', 'with a limit the first is let in');
select matches(pg_temp.buy('3 1'), '^[0-9a-f-]{36}$', 'tickets are held by transactions, and this is one');
select is(
  (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and objsubid = 2 and mode = 'ExclusiveLock'), 2,
  'one for each product'
);
select throws_ok(
  'update interlock.settings set checkouts_per_product = 0', '23514', null, 'a limit is one at least'
);

-- What belongs to others, and what others may see ---------------------------

select is(
  (select count(*)::int from interlock.counter_slots where owner_id in (pg_temp.p(3), pg_temp.p(6))), 6, 'all slots are there'
);
select matches(pg_temp.buy('6 200, 2 1'), '^[0-9a-f-]{36}$', 'a mixed cart that no slot has enough for');
select is(pg_temp.state(6), '379 379 376/0', 'takes what it wants at the gate');
select is(pg_temp.state(2), '2 2 /', 'and from the row, once');
select is(
  (select array_agg(product_id) from public.get_stock(array[pg_temp.p(6), pg_temp.p(2)])),
  array[pg_temp.p(2), pg_temp.p(6)], 'get_stock answers in the order of the ids'
);
update interlock.products set active = false where id = pg_temp.p(6);
set local role authenticated;
select is((select count(*)::int from public.get_stock(array[pg_temp.p(6)])), 0, 'an inactive product is not shown');
select set_config('request.jwt.claims', '{"sub": "21000000-0000-4000-8000-0000000000aa", "app_metadata": {"role": "staff"}}', true);
select is((select count(*)::int from public.get_stock(array[pg_temp.p(6)])), 1, 'but to staff');
select set_config('request.jwt.claims', '', true);
reset role;
set local role service_role;
select is((select count(*)::int from public.get_stock(array['21000000-0000-4000-8000-000000000006']::uuid[])), 1, 'but to the shop');
reset role;
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

select * from finish();
rollback;
