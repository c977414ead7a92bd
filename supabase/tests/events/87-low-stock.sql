-- What a badge shows, and the event stock.low: once when a stock comes to be low, and again only after it was above.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(49);

select is(interlock.stock_state(p, c.available), c.state, format('%s of %s: %s', c.available, c.product, c.state))
from (values
  ('{"stock_policy": "tracked", "low_stock_at": 5}'::jsonb, 6, 'in_stock'), ('{"stock_policy": "tracked", "low_stock_at": 5}', 5, 'low'),
  ('{"stock_policy": "tracked", "low_stock_at": 5}', 1, 'low'), ('{"stock_policy": "tracked", "low_stock_at": 5}', 0, 'sold_out'),
  ('{"stock_policy": "tracked", "low_stock_at": 0}', 1, 'in_stock'), ('{"stock_policy": "tracked", "low_stock_at": 0}', 0, 'sold_out'),
  ('{"stock_policy": "untracked", "low_stock_at": 5}', 0, 'in_stock'),
  ('{"stock_policy": "backorder", "low_stock_at": 5, "backordered": 2, "backorder_limit": 3}', 0, 'on_order'),
  ('{"stock_policy": "backorder", "low_stock_at": 5, "backordered": 3, "backorder_limit": 3}', 0, 'sold_out'),
  ('{"stock_policy": "backorder", "low_stock_at": 5, "backordered": 0, "backorder_limit": 3}', 2, 'low'),
  ('{"stock_policy": "tracked", "low_stock_at": 5, "backordered": 0, "backorder_limit": 3}', 0, 'sold_out')
) as c (product, available, state)
cross join lateral jsonb_populate_record(null::interlock.products, c.product) p;

update interlock.settings set max_open_orders_per_customer = null, max_open_units_per_customer = null;
insert into auth.users (id, aud, role, email)
values ('87000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-87@example.com');
insert into interlock.products (id, name, price, currency, available_quantity, low_stock_at, stock_policy, backorder_limit)
values
  ('87000000-0000-4000-8000-000000000001', 'tea', 500, 'EUR', 12, 10, 'tracked', 0),
  ('87000000-0000-4000-8000-000000000002', 'pots', 500, 'EUR', 7, 5, 'backorder', 3);
insert into interlock.products (id, name, price, currency, available_quantity)
values ('87000000-0000-4000-8000-000000000003', 'new and few', 500, 'EUR', 1);

-- What was told of a product since it was asked last.
create temporary table told_until as select coalesce(max(b.position), 0) as position from interlock.outbox b;
grant all on told_until to authenticated;
create function pg_temp.told(p_product int)
returns jsonb
language plpgsql
as $$
declare
  v_told jsonb;
begin
  select coalesce(jsonb_agg(b.payload - '{product_id,location_id}'::text[] order by b.position), '[]') into v_told
  from interlock.outbox b, told_until t
  where b.position > t.position
    and b.type = 'stock.low'
    and b.subject = '87000000-0000-4000-8000-00000000000' || p_product
    and b.subject = b.payload ->> 'product_id';
  update told_until set position = (select coalesce(max(b.position), 0) from interlock.outbox b);
  return v_told;
end
$$;
create function pg_temp.buy(p_product int, p_quantity int)
returns text
language plpgsql
as $$
declare
  v_order uuid;
begin
  perform
    set_config('request.jwt.claims', '{"sub": "87000000-0000-4000-8000-0000000000aa", "role": "authenticated"}', true),
    set_config('role', 'authenticated', true);
  v_order := public.checkout(
    jsonb_build_array(jsonb_build_object('product_id', '87000000-0000-4000-8000-00000000000' || p_product, 'quantity', p_quantity)),
    p_payment_method => 'bank_transfer'
  ) -> 'order' ->> 'id';
  reset role;
  return v_order;
end
$$;
create function pg_temp.by_shop(p_sql text)
returns void
language plpgsql
as $$
begin
  perform
    set_config('request.jwt.claims', '{"role": "service_role"}', true),
    set_config('role', 'service_role', true);
  execute 'select ' || p_sql;
  reset role;
end
$$;
create function pg_temp.change(p_product int, p_change text)
returns void
language plpgsql
as $$
begin
  execute format('update interlock.products set %s where id = %L', p_change, '87000000-0000-4000-8000-00000000000' || p_product);
end
$$;

select is(pg_temp.told(3), '[]', 'a new product has not come to be low');
select pg_temp.buy(1, 1);
select is(pg_temp.told(1), '[]', 'of enough nothing is told');
create temporary table bought as select pg_temp.buy(1, 1) as id;
select is(
  pg_temp.told(1), '[{"available_quantity": 10, "low_stock_at": 10, "state": "low"}]', 'the sale that makes it low tells it'
);
select pg_temp.buy(1, 3);
select pg_temp.buy(1, 7);
select is(pg_temp.told(1), '[]', 'those after it do not, and neither does the last one');
select pg_temp.change(1, 'available_quantity = available_quantity + 10');
select is(pg_temp.told(1), '[]', 'nor what comes in and leaves it low');
select pg_temp.change(1, 'available_quantity = available_quantity + 10');
select is(pg_temp.told(1), '[]', 'nor what makes it enough');
select pg_temp.change(1, 'available_quantity = available_quantity - 20');
select is(
  pg_temp.told(1), '[{"available_quantity": 0, "low_stock_at": 10, "state": "sold_out"}]', 'but then it is told again'
);
select pg_temp.change(1, 'available_quantity = 10');
select pg_temp.by_shop(format('public.cancel_order(%L)', id)) from bought;
select pg_temp.buy(1, 1);
select is(
  pg_temp.told(1), '[{"available_quantity": 10, "low_stock_at": 10, "state": "low"}]', 'as it is after an order has given back what it took'
);

-- Whatever else makes it low.
select pg_temp.change(1, 'low_stock_at = 3');
select is(pg_temp.told(1), '[]', 'a lower limit makes it enough');
select pg_temp.change(1, 'low_stock_at = 50');
select is(pg_temp.told(1), '[{"available_quantity": 10, "low_stock_at": 50, "state": "low"}]', 'a higher one makes it low');
select pg_temp.change(1, $$stock_policy = 'untracked'$$);
select is(pg_temp.told(1), '[]', 'of what is sold without asking for stock nothing is told');
select pg_temp.change(1, 'available_quantity = 0, low_stock_at = 9');
select is(pg_temp.told(1), '[]', 'whatever becomes of it');
select pg_temp.change(1, $$stock_policy = 'tracked'$$);
select is(pg_temp.told(1), '[{"available_quantity": 0, "low_stock_at": 9, "state": "sold_out"}]', 'until its stock counts again');
select pg_temp.change(1, 'active = false');
select pg_temp.change(1, 'available_quantity = 20');
select pg_temp.change(1, 'available_quantity = 2');
select is(pg_temp.told(1), '[]', 'of what cannot be bought nothing is told');
select pg_temp.change(1, 'active = true');
select is(pg_temp.told(1), '[{"available_quantity": 2, "low_stock_at": 9, "state": "low"}]', 'until it can');
select throws_ok($$ select pg_temp.change(1, 'low_stock_at = -1') $$, '23514', null, 'no limit is below nothing');

-- Backorders.
select pg_temp.buy(2, 7);
select is(pg_temp.told(2), '[{"available_quantity": 0, "low_stock_at": 5, "state": "on_order"}]', 'what is sold out can be ordered, and says so');
delete from realtime.messages;
select pg_temp.buy(2, 3);
select is(pg_temp.told(2), '[]', 'it has been low since');
select is(
  (select m.payload ->> 'state' from realtime.messages m where m.topic = interlock.topic_of_shop('stock:87000000-0000-4000-8000-000000000002')),
  'sold_out', 'and whoever looks at it is told that no more can be ordered'
);

-- What is undone has not been.
do $$
begin
  perform pg_temp.change(1, 'available_quantity = 100');
  perform pg_temp.change(1, 'available_quantity = 1');
  raise exception 'undone';
exception
  when raise_exception then null;
end
$$;
select is(pg_temp.told(1), '[]', 'a sale that is undone has told nothing');

-- From slots it is told when they are settled, as long as the product has them.
select pg_temp.change(1, 'available_quantity = 100');
select pg_temp.by_shop($$public.set_stock_slots('87000000-0000-4000-8000-000000000001', 4)$$);
select pg_temp.buy(1, 93);
select pg_temp.by_shop($$public.set_stock_slots('87000000-0000-4000-8000-000000000001', 0)$$);
select is(
  pg_temp.told(1), '[{"available_quantity": 7, "low_stock_at": 9, "state": "low"}]', 'of a hot product it is told once, too'
);

-- At a location, where somebody watches it.
insert into interlock.locations (id, name) values
  ('87000000-0000-4000-8000-0000000000f1', 'Kiosk'), ('87000000-0000-4000-8000-0000000000f2', 'Store');
insert into interlock.products (id, name, price, currency, decimals)
values ('87000000-0000-4000-8000-000000000004', 'olives', 500, 'EUR', 3);
insert into interlock.inventory (id, product_id, location_id, quantity, low_stock_at) values
  ('87000000-0000-4000-8000-0000000000e1', '87000000-0000-4000-8000-000000000004', '87000000-0000-4000-8000-0000000000f1', 3, 2.5),
  ('87000000-0000-4000-8000-0000000000e2', '87000000-0000-4000-8000-000000000004', '87000000-0000-4000-8000-0000000000f2', 1, null);
create function pg_temp.at(p_rows text, p_change text)
returns jsonb
language plpgsql
as $$
declare
  v_told jsonb;
begin
  execute format('update interlock.inventory set %s where id::text ~ %L', p_change, '^87000000-0000-4000-8000-0000000000' || p_rows);
  select
    coalesce(jsonb_agg(
      jsonb_build_array(l.name, b.payload -> 'available_quantity', b.payload -> 'low_stock_at', b.payload ->> 'state') order by b.position
    ), '[]')
  into v_told
  from told_until t
  join interlock.outbox b on b.position > t.position and b.type = 'stock.low'
  join interlock.locations l on l.id = (b.payload ->> 'location_id')::uuid
  where b.subject = b.payload ->> 'product_id';
  update told_until set position = (select coalesce(max(b.position), 0) from interlock.outbox b);
  return v_told;
end
$$;
select is(pg_temp.at('e2', 'quantity = 0'), '[]', 'what nobody watches is never low');
select is(pg_temp.at('e1', 'quantity = 2.501'), '[]', 'a gram more than little is enough');
select is(pg_temp.at('e1', 'quantity = 2.5'), '[["Kiosk", 2.5, 2.5, "low"]]', 'a shelf that comes to have little tells it, and where');
select is(pg_temp.at('e1', 'quantity = 0'), '[]', 'once');
select is(pg_temp.at('e1', 'quantity = 3'), '[]', 'not when there is enough again');
select is(pg_temp.at('e1', 'quantity = 0'), '[["Kiosk", 0, 2.5, "sold_out"]]', 'but then again');
select is(
  pg_temp.at('e.', 'low_stock_at = 5'), '[["Store", 0, 5, "sold_out"]]', 'a limit that is set makes those low that were not'
);
select is(pg_temp.at('e.', 'quantity = 9'), '[]', 'all of them may have enough');
select is(
  pg_temp.at('e.', 'quantity = 4'), '[["Kiosk", 4, 5, "low"], ["Store", 4, 5, "low"]]', 'and little, in one statement'
);
select is(pg_temp.at('e.', 'low_stock_at = null'), '[]', 'nobody watches them any more');
select pg_temp.change(4, 'active = false');
select pg_temp.at('e.', 'low_stock_at = 5, quantity = 9');
select is(pg_temp.at('e.', 'quantity = 1'), '[]', 'of what is not sold any more nothing is told');
select throws_ok(
  $$ update interlock.inventory set low_stock_at = -1 where id = '87000000-0000-4000-8000-0000000000e1' $$, '23514', null,
  'no limit is below nothing there'
);
select is(
  (select version::bigint from interlock.inventory where id = '87000000-0000-4000-8000-0000000000e2'), 6::bigint,
  'a limit is no change of the quantity'
);
select has_column('public', 'inventory', 'low_stock_at', 'the API has it');
set local role service_role;
select lives_ok(
  $$ update public.inventory set low_stock_at = 7 where id = '87000000-0000-4000-8000-0000000000e1' $$, 'the shop sets a limit'
);
select throws_ok(
  $$ update public.inventory set quantity = 7 where id = '87000000-0000-4000-8000-0000000000e1' $$, '42501', null,
  'but not what is there'
);
reset role;
set local role authenticated;
select throws_ok(
  $$ update public.inventory set low_stock_at = 7 where id = '87000000-0000-4000-8000-0000000000e1' $$, '42501', null,
  'nobody else does'
);
reset role;

select * from finish();
rollback;
