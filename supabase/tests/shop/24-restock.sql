-- Stock that the shop books in, out and counts: never over a sale, once for each reference, by staff and the service
-- role. What may be repeated in other areas under a reference is tested where it lives.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(85);

insert into auth.users (id, aud, role, email)
values
  ('24000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-24@example.com'),
  ('24000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-24-staff@example.com');
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  ('24000000-0000-4000-8000-000000000001', 'plain', 100, 'EUR', 10, 'physical'),
  ('24000000-0000-4000-8000-000000000002', 'hot', 100, 'EUR', 100, 'physical'),
  ('24000000-0000-4000-8000-000000000003', 'digital', 100, 'EUR', 0, 'digital'),
  ('24000000-0000-4000-8000-000000000004', 'of somebody else', 100, 'EUR', 7, 'physical');

-- Product n.
create function pg_temp.p(p_n int)
returns uuid
language sql
as $$ select ('24000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid $$;

create function pg_temp.stock()
returns int[]
language sql
as $$ select array_agg(available_quantity order by product_id) from public.get_stock(array[pg_temp.p(1), pg_temp.p(2), pg_temp.p(4)]) $$;

-- The ledger since the last look: `product delta balance reason reference actor`.
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
    concat_ws(' ', right(product_id::text, 1), delta, balance_after, reason, reference, right(actor::text, 1)),
    ', ' order by id
  )
  from fresh, moved
$$;

create temporary table callers (caller text primary key, role text, claims text);
insert into callers
values
  ('shop', 'service_role', '{"role": "service_role"}'),
  ('staff', 'authenticated',
    '{"role": "authenticated", "sub": "24000000-0000-4000-8000-0000000000bb", "app_metadata": {"role": "staff"}}'),
  ('buyer', 'authenticated', '{"role": "authenticated", "sub": "24000000-0000-4000-8000-0000000000aa"}'),
  ('pretender', 'authenticated',
    '{"role": "authenticated", "sub": "24000000-0000-4000-8000-0000000000aa", "user_metadata": {"role": "staff"}}'),
  ('nobody', 'authenticated', '{"role": "authenticated"}');

-- What a caller is answered: the value, or the code of the refusal with its details.
create function pg_temp.ask(p_caller text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_caller callers;
  v_answer jsonb;
  v_detail text;
begin
  select * into strict v_caller from callers where caller = p_caller;
  perform set_config('request.jwt.claims', v_caller.claims, true);
  perform set_config('response.headers', '', true);
  begin
    execute format('set local role %I', v_caller.role);
    execute 'select to_jsonb(' || p_sql || ')' into v_answer;
    reset role;
  exception
    when others then
      get stacked diagnostics v_detail = pg_exception_detail;
      v_answer := case
        when sqlstate like 'PT%' then jsonb_build_object(sqlerrm, nullif(v_detail, '')::jsonb - 'message')
        else to_jsonb(sqlstate)
      end;
  end;
  perform set_config('request.jwt.claims', '', true);
  return v_answer;
end
$$;

create function pg_temp.adjusted(p_n int, p_from int, p_to int)
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'success', true, 'product_id', pg_temp.p(p_n), 'old_quantity', p_from, 'new_quantity', p_to, 'delta', p_to - p_from
  )
$$;

create function pg_temp.replayed()
returns boolean
language sql
as $$ select coalesce(current_setting('response.headers', true), '') <> '' $$;

-- Adjusting -----------------------------------------------------------------

select is(
  pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(1), 5)$$), pg_temp.adjusted(1, 10, 15), 'the shop books units in'
);
select is(pg_temp.ledger(), '1 5 15 adjustment', 'and the ledger says why');
select is(
  pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(1), -15, 'broken', 'note 17')$$), pg_temp.adjusted(1, 15, 0),
  'and out, to the last one'
);
select is(pg_temp.ledger(), '1 -15 0 broken note 17', 'with the shop''s reason and reference');
update interlock.products set available_quantity = available_quantity + 1 where id = pg_temp.p(1);
select is(pg_temp.ledger(), '1 1 1 correction', 'which end with the call');
update interlock.products set available_quantity = available_quantity - 1 where id = pg_temp.p(1);
select pg_temp.ledger();
select is(
  pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(1), -1)$$),
  jsonb_build_object('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(1), 'requested', 1, 'available', 0)
  ))),
  'never below zero'
);
select is(
  pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(9), 1)$$),
  jsonb_build_object('PRODUCT_NOT_FOUND', jsonb_build_object('product_ids', jsonb_build_array(pg_temp.p(9)))),
  'an unknown product'
);
select is(
  pg_temp.ask('staff', $$public.adjust_stock(pg_temp.p(1), 10, 'delivery')$$), pg_temp.adjusted(1, 0, 10), 'so does staff'
);
select is(pg_temp.ledger(), '1 10 10 delivery b', 'and the ledger says who');
update interlock.products set available_quantity = available_quantity + 1 where id = pg_temp.p(1);
select is(pg_temp.ledger(), '1 1 11 correction', 'reason and reference end with the call');
update interlock.products set available_quantity = available_quantity - 1 where id = pg_temp.p(1);
select pg_temp.ledger();
select is(
  jsonb_path_query_array(pg_temp.ask('shop', 'public.' || t.call) -> 'VALIDATION_FAILED', '$.problems[*].pointer'),
  t.pointers::jsonb,
  format('%s names %s', t.call, t.pointers)
)
from (values
  ('adjust_stock(null, 0, '''')', '["/p_product_id", "/p_reason", "/p_delta"]'),
  ('adjust_stock(pg_temp.p(1), null)', '["/p_delta"]'),
  ('adjust_stock(pg_temp.p(1), 1000000001)', '["/p_delta"]'),
  ('adjust_stock(pg_temp.p(1), -1000000001)', '["/p_delta"]'),
  ('adjust_stock(pg_temp.p(1), 1, repeat(''x'', 101))', '["/p_reason"]'),
  ('adjust_stock(pg_temp.p(3), 1)', '["/p_product_id"]'),
  ('adjust_stock(pg_temp.p(1), 1, null, '''')', '["/p_reference"]'),
  ('adjust_stock(pg_temp.p(1), 1, null, ''ü'')', '["/p_reference"]'),
  ('adjust_stock(pg_temp.p(1), 1, null, repeat(''x'', 256))', '["/p_reference"]'),
  ('count_stock(null, -1, null, '''')', '["/p_product_id", "/p_reason", "/p_counted", "/p_expected"]'),
  ('count_stock(pg_temp.p(1), null, 10)', '["/p_counted"]'),
  ('count_stock(pg_temp.p(1), 1000000001, 10)', '["/p_counted"]'),
  ('count_stock(pg_temp.p(3), 0, 0)', '["/p_product_id"]'),
  ('count_stock(pg_temp.p(1), 10, 10, null, '''')', '["/p_reference"]')
) as t (call, pointers);
select is(pg_temp.ask(c.caller, 'public.' || f.call), to_jsonb(r.refusal), format('%s may not %s', c.caller, f.call))
from (values ('buyer'), ('pretender'), ('nobody')) as c (caller)
cross join (values ('adjust_stock(pg_temp.p(1), 1)'), ('count_stock(pg_temp.p(1), 9, 10)')) as f (call)
cross join lateral (
  select jsonb_build_object(case c.caller when 'nobody' then 'UNAUTHENTICATED' else 'FORBIDDEN' end, '{}'::jsonb) as refusal
) r;
select is(pg_temp.stock(), array[10, 100, 7], 'refusals change nothing');
select is(pg_temp.ledger(), null, 'nor the ledger');

-- Counting ------------------------------------------------------------------

select is(
  pg_temp.ask('shop', $$public.count_stock(pg_temp.p(1), 8, 10)$$), pg_temp.adjusted(1, 10, 8), 'a count sets the stock'
);
select is(pg_temp.ledger(), '1 -2 8 count', 'and is in the ledger');
select is(
  pg_temp.ask('shop', $$public.count_stock(pg_temp.p(1), 110, 10)$$),
  jsonb_build_object(
    'STOCK_CHANGED', jsonb_build_object('product_id', pg_temp.p(1), 'expected', 10, 'available', 8)
  ),
  'what was sold meanwhile is not overwritten'
);
select is(
  pg_temp.ask('staff', $$public.count_stock(pg_temp.p(1), 8, 8, 'March', 'c-1')$$), pg_temp.adjusted(1, 8, 8),
  'a count that is right is one'
);
select is(pg_temp.ledger(), null, 'and no movement');
select is(
  pg_temp.ask('shop', $$public.count_stock(pg_temp.p(1), 0, 8)$$), pg_temp.adjusted(1, 8, 0), 'nothing can be counted'
);
select is(
  pg_temp.ask('shop', $$public.count_stock(pg_temp.p(1), 1000000000, 0)$$), pg_temp.adjusted(1, 0, 1000000000), 'and a lot'
);
select is(
  pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(1), -1000000000)$$), pg_temp.adjusted(1, 1000000000, 0), 'and booked out'
);
select is(
  pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(1), 1000000000)$$), pg_temp.adjusted(1, 0, 1000000000), 'and in'
);
select is(
  pg_temp.ask('shop', $$public.count_stock(pg_temp.p(1), 8, 1000000000, 'tidy')$$), pg_temp.adjusted(1, 1000000000, 8),
  'with a reason'
);
select is(
  pg_temp.ledger(),
  '1 -8 0 count, 1 1000000000 1000000000 count, 1 -1000000000 0 adjustment, 1 1000000000 1000000000 adjustment, 1 -999999992 8 tidy',
  'all of it in the ledger'
);
select is(
  pg_temp.ask('shop', $$public.count_stock(pg_temp.p(9), 1, 1)$$) -> 'PRODUCT_NOT_FOUND' -> 'product_ids' ->> 0,
  pg_temp.p(9)::text,
  'an unknown product'
);

-- References ----------------------------------------------------------------

select is(
  pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(1), 2, 'delivery', 'note 18')$$), pg_temp.adjusted(1, 8, 10),
  'under a reference'
);
select ok(not pg_temp.replayed(), 'the first time is no replay');
select is(
  pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(1), 2, 'delivery', 'note 18')$$), pg_temp.adjusted(1, 8, 10),
  'the same again is answered'
);
select ok(pg_temp.replayed(), 'and says so');
select is(
  pg_temp.ask('staff', $$public.adjust_stock(pg_temp.p(1), 2, 'delivery', 'note 18')$$), pg_temp.adjusted(1, 8, 10),
  'whoever asks: it is the shop''s reference'
);
select is(pg_temp.stock(), array[10, 100, 7], 'and not done again');
select is(
  pg_temp.ask('shop', t.call), '{"IDEMPOTENCY_KEY_REUSED": {"operation": "adjust_stock"}}', 'another request is refused: ' || t.call
)
from (values
  ($$public.adjust_stock(pg_temp.p(1), 3, 'delivery', 'note 18')$$),
  ($$public.adjust_stock(pg_temp.p(2), 2, 'delivery', 'note 18')$$),
  ($$public.adjust_stock(pg_temp.p(1), 2, null, 'note 18')$$)
) as t (call);
select is(
  pg_temp.ask('shop', $$public.count_stock(pg_temp.p(1), 9, 10, null, 'note 18')$$), pg_temp.adjusted(1, 10, 9),
  'a count of that reference is something else'
);
select is(
  pg_temp.ask('shop', $$public.count_stock(pg_temp.p(1), 9, 10, null, 'note 18')$$), pg_temp.adjusted(1, 10, 9),
  'once, too'
);
select is(
  pg_temp.ask('shop', t.call), '{"IDEMPOTENCY_KEY_REUSED": {"operation": "count_stock"}}', 'another count is refused: ' || t.call
)
from (values
  ($$public.count_stock(pg_temp.p(2), 9, 10, null, 'note 18')$$),
  ($$public.count_stock(pg_temp.p(1), 8, 10, null, 'note 18')$$),
  ($$public.count_stock(pg_temp.p(1), 9, 9, null, 'note 18')$$),
  ($$public.count_stock(pg_temp.p(1), 9, 10, 'x', 'note 18')$$)
) as t (call);
select is(
  pg_temp.ask('shop', $$public.decrement_product_quantity(pg_temp.p(1), 2, 'till 1')$$) ->> 'new_quantity', '7',
  'units taken under a reference'
);
select is(
  pg_temp.ask('shop', $$public.decrement_product_quantity(pg_temp.p(1), 2, 'till 1')$$),
  jsonb_build_object(
    'success', true, 'product_id', pg_temp.p(1), 'old_quantity', 9, 'new_quantity', 7, 'deducted', 2
  ),
  'are taken once, and the same is answered'
);
select is(
  pg_temp.ask('shop', t.call), '{"IDEMPOTENCY_KEY_REUSED": {"operation": "decrement_product_quantity"}}', 'others are refused: ' || t.call
)
from (values
  ($$public.decrement_product_quantity(pg_temp.p(1), 1, 'till 1')$$),
  ($$public.decrement_product_quantity(pg_temp.p(2), 2, 'till 1')$$)
) as t (call);
select is(
  pg_temp.ask('shop', $$public.decrement_product_quantity(pg_temp.p(1), 99, 'till 2')$$) ? 'INSUFFICIENT_INVENTORY', true,
  'what was refused'
);
select is(
  pg_temp.ask('shop', $$public.decrement_product_quantity(pg_temp.p(1), 1, 'till 2')$$) ->> 'new_quantity', '6',
  'has used up no reference'
);
select is(
  pg_temp.ledger(),
  '1 2 10 delivery note 18, 1 -1 9 count note 18, 1 -2 7 decrement till 1, 1 -1 6 decrement till 2',
  'the ledger has each reference once'
);
select results_eq(
  $$
    select operation, key::text, expires_at - created_at from interlock.idempotency_keys
    where user_id = '00000000-0000-0000-0000-000000000000' and key in ('note 18', 'till 2')
    order by 1
  $$,
  $$
    select * from (values
      ('adjust_stock', 'note 18', interval '365 days'),
      ('count_stock', 'note 18', '365 days'),
      ('decrement_product_quantity', 'till 2', '365 days')
    ) as t (operation, key, lifetime)
  $$,
  'a reference is remembered for a year'
);

-- With slots ------------------------------------------------------------------

select public.set_stock_slots(pg_temp.p(2), 2), public.set_stock_slots(pg_temp.p(4), 3);
select interlock.use_slot(pg_temp.p(2), 30, true);
insert into interlock.stock_movements (product_id, delta, reason) values (pg_temp.p(2), -30, 'checkout');
select pg_temp.ledger();
select is(
  pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(2), 10, null, 'hot 1')$$), pg_temp.adjusted(2, 70, 80),
  'what was sold from slots is counted'
);
select is(pg_temp.ledger(), '2 10 adjustment hot 1', 'the ledger has no balance, for sales go side by side');
select is(
  (select array_agg(granted order by slot) from interlock.counter_slots where owner_id = pg_temp.p(2)), array[40, 40],
  'and all is shared out anew'
);
select interlock.use_slot(pg_temp.p(2), 30, true);
insert into interlock.stock_movements (product_id, delta, reason) values (pg_temp.p(2), -30, 'checkout');
select is(
  pg_temp.ask('shop', $$public.count_stock(pg_temp.p(2), 200, 80)$$) #>> '{STOCK_CHANGED,available}', '50',
  'a count that has missed a sale from a slot is refused'
);
select is(
  pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(2), -51)$$) #>> '{INSUFFICIENT_INVENTORY,shortages,0,available}', '50',
  'so is more than is left in them'
);
select is(pg_temp.ask('shop', $$public.count_stock(pg_temp.p(2), 20, 50)$$), pg_temp.adjusted(2, 50, 20), 'a count that has not');
select is(pg_temp.ask('shop', $$public.adjust_stock(pg_temp.p(2), -20)$$), pg_temp.adjusted(2, 20, 0), 'the last of them');
select is_empty('select * from interlock.stock_differences', 'the ledger adds up');

-- Overwriting over the API ------------------------------------------------------

create function pg_temp.through(p_path text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  perform set_config('request.path', p_path, true);
  execute format('create or replace function pg_temp.write() returns boolean language plpgsql as %L', 'begin ' || p_sql || '; return found; end');
  v_answer := pg_temp.ask('shop', 'pg_temp.write()');
  perform set_config('request.path', '', true);
  return v_answer;
end
$$;

select is(
  pg_temp.through('/products', 'update public.products set available_quantity = 110 where id = pg_temp.p(1)'),
  jsonb_build_object(
    'STOCK_NOT_RELATIVE', jsonb_build_object('product_id', pg_temp.p(1), 'available', 6, 'requested', 110)
  ),
  'a PATCH of the stock is refused'
);
select is(
  pg_temp.through('/rpc/graphql', 'update public.products set available_quantity = 110 where id = pg_temp.p(1)') ? 'STOCK_NOT_RELATIVE',
  true, 'so is GraphQL'
);
select is(
  pg_temp.through(
    '/products',
    $$insert into public.products (id, name, price, currency, available_quantity) values (pg_temp.p(1), 'x', 1, 'EUR', 110)
      on conflict (id) do update set available_quantity = excluded.available_quantity$$
  ) ? 'STOCK_NOT_RELATIVE',
  true, 'and an upsert'
);
select is(pg_temp.through(t.path, t.sql), 'true', t.what)
from (values
  ('/products', 'update public.products set available_quantity = 6, price = 200 where id = pg_temp.p(1)', 'the same number is no change'),
  ('/products', $$insert into public.products (name, price, currency, available_quantity) values ('new', 1, 'EUR', 4)$$, 'a new product has its stock'),
  ('/rpc/mine', 'update public.products set available_quantity = available_quantity + 1 where id = pg_temp.p(1)', 'an RPC of the shop''s own may'),
  ('/products', 'perform public.adjust_stock(pg_temp.p(1), 1)', 'what our functions write is theirs'),
  ('/product_codes', $$insert into public.product_codes (product_id, code) values (pg_temp.p(3), 'a')$$, 'so is what our triggers write'),
  ('', 'update public.products set available_quantity = 9 where id = pg_temp.p(1)', 'without the API SQL goes on as before')
) as t (path, sql, what);
select is(pg_temp.stock(), array[9, 0, 7], 'and nothing else has changed');

select * from finish();
rollback;
