-- What a request of a few lines reads: its own rows, found by index, and not the stock and the catalogue as a whole. Postgres guesses a hundred
-- rows for lines that come as JSON, and reads a shop of some thousand products whole for so many.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

update interlock.settings set max_open_orders_per_customer = null, max_open_units_per_customer = null;
insert into auth.users (id, aud, role, email, raw_app_meta_data)
values
  ('29000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-29@example.com', '{}'),
  ('29000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-29-staff@example.com', '{"role": "staff"}');
insert into interlock.locations (id, name)
values ('29000000-0000-4000-8000-000000000001', 'tap 29'), ('29000000-0000-4000-8000-000000000002', 'tap 29, another');
insert into interlock.registers (id, location_id, name, currency)
values ('29000000-0000-4000-8000-000000000003', '29000000-0000-4000-8000-000000000001', 'tap 29', 'EUR');
insert into interlock.shifts (register_id, opening_cash) values ('29000000-0000-4000-8000-000000000003', 0);
insert into interlock.promo_codes (code, discount_type, discount_value, max_uses) values ('TAP29', 'percentage', 10, 1000);

create function pg_temp.id(p_kind text, p_n int)
returns uuid
language sql
as $$ select format('29%s000-0000-4000-8000-%s', p_kind, lpad(p_n::text, 12, '0'))::uuid $$;

insert into interlock.products (id, name, price, currency, available_quantity)
select pg_temp.id('aaa', n), 'tap ' || n, 700, 'EUR', 100 from generate_series(1, 2000) n;
insert into interlock.inventory (id, product_id, location_id, quantity)
select pg_temp.id('bbb', n), pg_temp.id('aaa', n), '29000000-0000-4000-8000-000000000001', 100 from generate_series(1, 2000) n;
insert into interlock.orders (id, status, currency, subtotal, total, payment_method)
select pg_temp.id('ccc', n), 'confirmed', 'EUR', 700, 700, 'cash_on_delivery' from generate_series(1, 2000) n;
insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
select pg_temp.id('ccc', n), pg_temp.id('aaa', n), 1, 700, 'tap ' || n, 'physical' from generate_series(1, 2000) n;
analyze interlock.products, interlock.inventory, interlock.orders, interlock.order_items, interlock.order_events, interlock.stock_movements;

create function pg_temp.read_whole()
returns table (relation text, tuples bigint)
language sql
as $$
  select t.relname::text, t.seq_tup_read
  from pg_stat_xact_user_tables t
  where t.schemaname in ('interlock', 'interlock_parts')
    and t.relname in ('products', 'inventory', 'orders', 'order_items', 'order_events_0', 'stock_movements_0')
$$;

-- Which tables it has read whole.
create function pg_temp.reads(p_user text, p_sql text)
returns text
language plpgsql
as $$
declare
  v_before jsonb;
  v_read text;
begin
  select jsonb_object_agg(r.relation, r.tuples) into v_before from pg_temp.read_whole() r;
  perform set_config('request.jwt.claims', json_build_object(
    'role', 'authenticated', 'sub', '29000000-0000-4000-8000-0000000000' || p_user,
    'app_metadata', case p_user when 'bb' then jsonb '{"role": "staff"}' else '{}' end
  )::text, true);
  execute p_sql;
  select string_agg(format('%s: %s', r.relation, r.tuples - (v_before ->> r.relation)::bigint), ', ' order by r.relation)
  into v_read
  from pg_temp.read_whole() r
  where r.tuples - (v_before ->> r.relation)::bigint > 500;
  return coalesce(v_read, 'nothing');
end
$$;

create function pg_temp.lines(p_extra jsonb)
returns jsonb
language sql
as $$
  select jsonb_agg(jsonb_build_object('product_id', pg_temp.id('aaa', n)) || p_extra order by n) from generate_series(7, 9) n
$$;

select is(pg_temp.reads(c.who, c.sql), 'nothing', c.sql)
from (values
  (1, 'aa', $q$select public.checkout(pg_temp.lines('{"quantity": 1}') - 2 - 1, p_idempotency_key => 'tap-29-1')$q$),
  (2, 'aa', $q$select public.checkout(pg_temp.lines('{"quantity": 1}'), p_idempotency_key => 'tap-29-2')$q$),
  (3, 'aa', $q$select public.checkout(pg_temp.lines('{"quantity": 1}'), 'TAP29', p_idempotency_key => 'tap-29-3')$q$),
  (4, 'aa', $q$select public.quote_order(pg_temp.lines('{"quantity": 1}'), 'TAP29')$q$),
  (5, 'aa', $q$select public.validate_promo('TAP29', pg_temp.lines('{"quantity": 1}'), p_dry_run => true)$q$),
  (6, 'aa', $q$select public.validate_promo('TAP29', pg_temp.lines('{"quantity": 1}'), p_cart_id => gen_random_uuid())$q$),
  (7, 'aa', $q$select public.reserve_cart(pg_temp.lines('{"quantity": 1}'))$q$),
  (8, 'aa', $q$select public.release_cart()$q$),
  (9, 'aa', $q$select public.get_stock(array[pg_temp.id('aaa', 7), pg_temp.id('aaa', 8)])$q$),
  (10, 'aa', $q$select public.cancel_order(o.id) from interlock.orders o where o.user_id = '29000000-0000-4000-8000-0000000000aa' limit 1$q$),
  (11, 'bb', $q$select public.ship_order_lines(pg_temp.id('ccc', 5), jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.id('aaa', 5), 'quantity', 1)))$q$),
  (12, 'bb', $q$select public.refund_order_lines(pg_temp.id('ccc', 6), jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.id('aaa', 6), 'quantity', 1)), 'tap')$q$),
  (13, 'bb', $q$select public.manage_inventory('get', pg_temp.lines('{"location_id": "29000000-0000-4000-8000-000000000001"}'))$q$),
  (14, 'bb', $q$select public.manage_inventory('adjust',
    pg_temp.lines('{"location_id": "29000000-0000-4000-8000-000000000001", "delta": -1}'), 'tap')$q$),
  (15, 'bb', $q$select public.manage_inventory('set',
    pg_temp.lines('{"location_id": "29000000-0000-4000-8000-000000000001", "quantity": 90, "expected_quantity": 99}'), 'tap')$q$),
  (16, 'bb', $q$select public.manage_inventory('receive',
    pg_temp.lines('{"location_id": "29000000-0000-4000-8000-000000000001", "quantity": 2}'))$q$),
  (17, 'bb', $q$select public.manage_inventory('transfer', pg_temp.lines('{"from_location_id": "29000000-0000-4000-8000-000000000001",
    "to_location_id": "29000000-0000-4000-8000-000000000002", "quantity": 2}'))$q$),
  (18, 'bb', $q$select public.pos_sale('29000000-0000-4000-8000-000000000003', jsonb_build_array(
    jsonb_build_object('inventory_id', pg_temp.id('bbb', 7), 'quantity', 1)), '[{"type": "cash", "amount": 700}]')$q$),
  (19, 'bb', $q$select public.park_sale('29000000-0000-4000-8000-000000000003', 'tap', jsonb_build_array(
    jsonb_build_object('inventory_id', pg_temp.id('bbb', 7), 'quantity', 1)), p_hold => true)$q$),
  (20, 'bb', $q$select public.discard_parked_sale(p.id) from interlock.parked_sales p$q$),
  (21, 'bb', $q$select public.void_sale(s.id, 'tap') from interlock.sales s where s.register_id = '29000000-0000-4000-8000-000000000003'$q$),
  (22, 'bb', $q$select public.create_picking_session(array[pg_temp.id('ccc', 10), pg_temp.id('ccc', 11)],
    '29000000-0000-4000-8000-000000000001')$q$),
  (23, 'bb', $q$select public.claim_picking(s.id) from interlock.picking_sessions s$q$),
  (24, 'bb', $q$select public.pick_item(s.id, pg_temp.id('aaa', n), p_quantity => 1)
    from interlock.picking_sessions s, generate_series(10, 11) n$q$),
  (25, 'bb', $q$select public.start_packing(s.id) from interlock.picking_sessions s$q$),
  (26, 'bb', $q$select public.pack_item(s.id, pg_temp.id('ccc', n), pg_temp.id('aaa', n), p_quantity => 1)
    from interlock.picking_sessions s, generate_series(10, 11) n$q$),
  (27, 'bb', $q$select public.pack_item(s.id, pg_temp.id('ccc', 10), p_action => 'complete') from interlock.picking_sessions s$q$),
  (28, 'bb', $q$select public.abandon_picking_session(s.id) from interlock.picking_sessions s$q$)
) as c (n, who, sql)
order by c.n;

select * from finish();
rollback;
