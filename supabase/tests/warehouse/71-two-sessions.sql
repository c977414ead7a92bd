-- Picking sessions beside each other: an order that has been in another session before, two sessions with the same goods, two locations. What is done in one
-- of them is done there and nowhere else, and told.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, aud, role, email)
values
  ('71000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-71-packer@example.com'),
  ('71000000-0000-4000-8000-0000000000cc', 'authenticated', 'authenticated', 'tap-71@example.com'),
  ('71000000-0000-4000-8000-0000000000dd', 'authenticated', 'authenticated', 'tap-71-other-packer@example.com');
insert into interlock.locations (id, name) values ('7110000a-0000-4000-8000-000000000001', 'Store');
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  ('71000000-0000-4000-8000-000000000001', 'mug', 500, 'EUR', 100, 'physical'),
  ('71000000-0000-4000-8000-000000000002', 'pot', 900, 'EUR', 100, 'physical'),
  ('71000000-0000-4000-8000-000000000003', 'code', 100, 'EUR', 0, 'digital'),
  ('71000000-0000-4000-8000-000000000004', 'hot', 100, 'EUR', 100, 'physical');
insert into interlock.product_codes (product_id, code) values ('71000000-0000-4000-8000-000000000003', 'TAP71');
select public.set_stock_slots('71000000-0000-4000-8000-000000000004', 2);
update interlock.settings
set max_open_orders_per_customer = null, max_open_units_per_customer = null, short_lines = 'wait';

-- The packer aa works online, dd at the store; null is the shop.
create function pg_temp.act_as(p_user text)
returns void
language sql
as $$
  select
    set_config('role', case when p_user is null then 'service_role' else 'authenticated' end, true),
    set_config('request.jwt.claims', case
      when p_user is null then '{"role": "service_role"}'
      else json_build_object(
        'sub', '71000000-0000-4000-8000-0000000000' || p_user, 'role', 'authenticated',
        'app_metadata', case p_user
          when 'aa' then '{"role": "packer"}'::jsonb
          when 'dd' then '{"role": "packer", "location_ids": ["7110000a-0000-4000-8000-000000000001"]}'::jsonb
          else '{}'::jsonb
        end
      )::text
    end, true)
$$;
create function pg_temp.answer(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  execute 'select (' || p_sql || ')::jsonb' into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', coalesce(sqlerrm, ''), 'details', case when v_detail ~ '^[{]' then v_detail::jsonb - 'message' end);
end
$$;
create function pg_temp.p(p_n int)
returns uuid
language sql
immutable
as $$ select ('71000000-0000-4000-8000-00000000000' || p_n)::uuid $$;

-- Orders and sessions by their names.
create temp table t (name text primary key, id uuid);
grant all on t to authenticated, service_role;
create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select t.id from t where t.name = p_name $$;

-- An order of cc that is paid: so many of each product.
create function pg_temp.buy(p_name text, variadic p_quantities int[])
returns void
language plpgsql
as $$
begin
  perform pg_temp.act_as('cc');
  insert into t
  select p_name, (pg_temp.answer(format('public.checkout(%L, p_payment_method => ''bank_transfer'')', (
    select jsonb_agg(jsonb_build_object('product_id', pg_temp.p(u.n::int), 'quantity', u.quantity))
    from unnest(p_quantities) with ordinality as u (quantity, n)
    where u.quantity > 0
  ))) -> 'order' ->> 'id')::uuid;
  reset role;
  update interlock.orders set status = 'paid' where id = pg_temp.id(p_name);
end
$$;
create function pg_temp.start(p_name text, p_orders text[], p_location uuid default null)
returns void
language sql
as $$
  insert into t
  select p_name, (pg_temp.answer(format(
    'public.create_picking_session(%L, %L)', array(select pg_temp.id(o.name) from unnest(p_orders) with ordinality o (name, n) order by o.n), p_location
  )) -> 'session' ->> 'id')::uuid
$$;
create function pg_temp.pick(p_session text, p_product int, p_quantity int)
returns text
language sql
as $$
  select pg_temp.answer(format('public.pick_item(%L, %L, p_quantity => %s)', pg_temp.id(p_session), pg_temp.p(p_product), p_quantity)) -> 'item' ->> 'quantity_picked'
$$;
create function pg_temp.start_packing(p_session text)
returns text
language sql
as $$ select pg_temp.answer(format('public.start_packing(%L)', pg_temp.id(p_session))) -> 'session' ->> 'status' $$;
create function pg_temp.scan(p_session text, p_order text, p_product int, p_more text default '')
returns jsonb
language sql
as $$
  select pg_temp.answer(format('public.pack_item(%L, %L, %L%s)', pg_temp.id(p_session), pg_temp.id(p_order), pg_temp.p(p_product), p_more))
$$;
create function pg_temp.complete(p_session text, p_order text)
returns text
language sql
as $$
  select coalesce(a ->> 'status', a ->> 'code')
  from pg_temp.answer(format('public.pack_item(%L, %L, p_action => ''complete'')', pg_temp.id(p_session), pg_temp.id(p_order))) a
$$;
create function pg_temp.remove(p_session text, p_order text)
returns text
language sql
as $$ select pg_temp.answer(format('public.remove_order_from_session(%L, %L)', pg_temp.id(p_session), pg_temp.id(p_order))) ->> 'status' $$;
create function pg_temp.refund(p_order text, p_product int, p_quantity int)
returns text
language sql
as $$
  select pg_temp.answer(format('public.refund_order_lines(%L, %L, ''x'')', pg_temp.id(p_order), jsonb_build_array(
    jsonb_build_object('product_id', pg_temp.p(p_product), 'quantity', p_quantity)
  ))) ->> 'success'
$$;
-- What of a line is needed, packed and short, and its version.
create function pg_temp.line(p_session text, p_order text, p_product int)
returns text
language sql
as $$
  select format('%s %s %s, %s', p.quantity_needed, p.quantity_packed, p.quantity_short, p.version)
  from public.packing_progress p
  where (p.picking_session_id, p.order_id, p.product_id) = (pg_temp.id(p_session), pg_temp.id(p_order), pg_temp.p(p_product))
$$;
-- The same of a basket, with what was picked.
create function pg_temp.basket(p_session text, p_product int)
returns text
language sql
as $$
  select format('%s %s %s, %s', i.quantity_needed, i.quantity_picked, i.quantity_packed, i.version)
  from public.picking_session_items i
  where (i.picking_session_id, i.product_id) = (pg_temp.id(p_session), pg_temp.p(p_product))
$$;

select pg_temp.buy('a', 2), pg_temp.buy('b', 2), pg_temp.buy('c', 5), pg_temp.buy('e', 2, 0, 1);

-- An order that was in another session.
select pg_temp.act_as('aa');
select pg_temp.start('old', array['a', 'b', 'e']);
select is(pg_temp.pick('old', 1, 3), '3', 'three mugs are picked');
select is(
  pg_temp.scan('old', 'a', 1, ', p_action => ''short''') -> 'details' ->> 'status', 'picking', 'nothing is short at the table before packing has started'
);
select is(pg_temp.line('old', 'a', 1), '2 0 0, 1', 'and nothing is written');
select is(pg_temp.start_packing('old'), 'packing', 'it starts');
select pg_temp.act_as('dd');
select is(pg_temp.scan('old', 'a', 1) ->> 'code', 'SESSION_NOT_FOUND', 'who works somewhere else packs nothing there');
select is(pg_temp.scan('old', 'a', 1, ', p_action => ''short''') ->> 'code', 'SESSION_NOT_FOUND', 'nor finds anything short');
select pg_temp.act_as('aa');
select is(pg_temp.line('old', 'a', 1), '2 0 0, 1', 'nothing is written of that either');
select is(pg_temp.scan('old', 'a', 1) ->> 'quantity_packed', '1', 'a mug of a is packed');
select is(pg_temp.remove('old', 'a'), 'removed', 'a leaves');
select is(pg_temp.remove('old', 'e'), 'removed', 'and e');
select pg_temp.act_as(null);
select is(pg_temp.refund('e', 1, 1), 'true', 'of which a mug is refunded before it comes into another one');
select pg_temp.act_as('aa');
select pg_temp.start('new', array['a', 'c', 'e']);
select is(pg_temp.basket('new', 1), '8 0 0, 1', 'that one needs what is left');
select is(pg_temp.pick('new', 1, 5), '5', 'of which five are picked');
select is(pg_temp.start_packing('new'), 'packing', 'it starts');
select is(pg_temp.scan('old', 'a', 1) -> 'details' ->> 'order_status', 'removed', 'into the box of before nothing is packed');
select is(
  pg_temp.scan('old', 'a', 1, ', p_action => ''short''') -> 'details' ->> 'order_status', 'removed', 'nor is anything short of it'
);
select is(pg_temp.line('old', 'a', 1), '2 0 0, 3', 'it stays as it was');
select is(pg_temp.line('new', 'a', 1), '2 0 0, 1', 'as does the one in which the order is now');
select is(pg_temp.scan('new', 'a', 1, ', p_quantity => 2') ->> 'quantity_packed', '2', 'there it is packed');
select is(
  (pg_temp.scan('new', 'a', 1) -> 'details') - '{session_id,order_id,product_id}'::text[],
  '{"quantity_packed": 2, "quantity_needed": 2, "quantity_picked": 5, "available": 3}'::jsonb,
  'and not more than it needs, out of a basket with three more'
);
select is(pg_temp.scan('old', 'b', 1, ', p_quantity => 2') ->> 'quantity_packed', '2', 'b is packed where it was');
select is(
  (pg_temp.scan('old', 'b', 1) -> 'details') - '{session_id,order_id,product_id}'::text[],
  '{"quantity_packed": 2, "quantity_needed": 2, "quantity_picked": 3, "available": 1}'::jsonb, 'out of a basket with one more'
);

-- An order of which nothing is left to be packed.
select pg_temp.act_as(null);
select is(pg_temp.refund('e', 1, 1), 'true', 'the other mug of e is refunded');
reset role;
select is((select status::text from interlock.orders where id = pg_temp.id('e')), 'paid', 'which is still an order, of a code');
select results_eq(
  format(
    $$select s.status::text from interlock.picking_session_orders s where s.order_id = %L order by s.picking_session_id = %L$$,
    pg_temp.id('e'), pg_temp.id('new')
  ),
  $$values ('removed'), ('cancelled')$$, 'so it leaves the session that it is in'
);
select is(pg_temp.basket('new', 1), '7 5 2, 4', 'which needs one mug less');
select is(pg_temp.basket('old', 1), '2 3 2, 6', 'and no other does');

-- Of a line of which nothing is taken off nothing changes: screens go by its version.
select pg_temp.buy('f', 1, 2, 0, 3);
select pg_temp.act_as('aa');
select pg_temp.start('left', array['f']);
select is(pg_temp.pick('left', 1, 1) || pg_temp.pick('left', 2, 2) || pg_temp.pick('left', 4, 3), '123', 'a mug, two pots and three of what is hot');
select is(pg_temp.start_packing('left'), 'packing', 'are picked');
select is(pg_temp.scan('left', 'f', 1) ->> 'quantity_packed', '1', 'the mug is packed');
select is(pg_temp.scan('left', 'f', 2) ->> 'quantity_packed', '1', 'and a pot');
select is(pg_temp.scan('left', 'f', 4, ', p_quantity => 3') ->> 'quantity_packed', '3', 'and all that is hot');
reset role;
create temp table used as select sum(used) as used from interlock.counter_slots where owner_id = pg_temp.p(4);
select pg_temp.act_as(null);
select is(pg_temp.answer(format('public.ship_order(%L)', pg_temp.id('f'))) -> 'order' ->> 'fulfillment', 'shipped', 'staff send it as it is');
select is(pg_temp.line('left', 'f', 1) || '; ' || pg_temp.line('left', 'f', 2), '1 1 0, 2; 1 1 0, 3', 'the pot that is not in it is taken off');
select is(pg_temp.basket('left', 1) || '; ' || pg_temp.basket('left', 2), '1 1 1, 3; 1 2 1, 4', 'and needed no more');
reset role;
select is((select used from used), 3::bigint, 'three were sold from a slot');
select is((select sum(used) from interlock.counter_slots where owner_id = pg_temp.p(4)), (select used from used), 'where what is packed for the web shop changes nothing');
select is_empty(format('select 1 from interlock.stock_movements where reference_id = %L and reason = ''order_packed''', pg_temp.id('f')), 'nor is it moved in the ledger');

-- Two orders at a store, one of them in two parcels.
select pg_temp.buy('g', 3, 1), pg_temp.buy('h', 1);
insert into interlock.inventory (product_id, location_id, quantity) values (pg_temp.p(1), '7110000a-0000-4000-8000-000000000001', 10);
create function pg_temp.in_store()
returns text
language sql
as $$
  select string_agg(format('%s %s', p.name, trim_scale(i.quantity)), ', ' order by p.name)
  from interlock.inventory i
  join interlock.products p on p.id = i.product_id
  where i.location_id = '7110000a-0000-4000-8000-000000000001'
$$;
select pg_temp.act_as('dd');
select pg_temp.start('store', array['g', 'h'], '7110000a-0000-4000-8000-000000000001');
select is(pg_temp.pick('store', 1, 3), '3', 'three mugs are picked in the store');
select is(pg_temp.start_packing('store'), 'packing', 'to be packed there');
select is(pg_temp.scan('store', 'g', 1, ', p_quantity => 2') ->> 'quantity_packed', '2', 'two are for g');
select is(pg_temp.scan('store', 'g', 1, ', p_action => ''short''') ->> 'quantity_short', '1', 'a third one there is not');
select is(pg_temp.scan('store', 'g', 2, ', p_action => ''short''') ->> 'quantity_short', '1', 'nor a pot');
select set_config('request.jwt.claims', replace(current_setting('request.jwt.claims'), '7110000a', '7110000A'), true);
select is(pg_temp.scan('store', 'h', 1) ->> 'quantity_packed', '1', 'one is for h, packed by whose token has the location in capitals');
select pg_temp.act_as('dd');
select is(pg_temp.complete('store', 'g'), 'completed', 'g leaves');
reset role;
select is(pg_temp.in_store(), 'mug 8', 'with its two mugs, and the store has no pots that it never had');
select pg_temp.act_as('dd');
select is(pg_temp.complete('store', 'h'), 'completed', 'then h');
reset role;
select is(pg_temp.in_store(), 'mug 7', 'with one');
select pg_temp.act_as('dd');
select pg_temp.start('rest', array['g'], '7110000a-0000-4000-8000-000000000001');
select is(pg_temp.pick('rest', 1, 1), '1', 'what was short is found');
select is(pg_temp.start_packing('rest'), 'packing', 'to be packed');
select is(pg_temp.scan('rest', 'g', 1) ->> 'quantity_packed', '1', 'it is');
select is(pg_temp.scan('rest', 'g', 2, ', p_action => ''short''') ->> 'quantity_short', '1', 'still without a pot');
select is(pg_temp.complete('rest', 'g'), 'completed', 'it leaves');
reset role;
select is(pg_temp.in_store(), 'mug 6', 'as one mug, whatever has left before');

-- What is told.
create function pg_temp.told(p_session text)
returns text[]
language sql
as $$
  select array(
    select concat_ws(' ', e.type, (select t.name from t where t.id::text = e.payload ->> 'order_id'), e.payload ->> 'status',
      case when e.payload ->> 'shipment_id' is not null then 'in a parcel' end, case when e.payload ? 'code' then 'with its code' end)
    from interlock.events e
    where e.subject = pg_temp.id(p_session)::text
      and e.type in ('packing.order_completed', 'packing.order_taken_out', 'packing.session_ended')
    order by 1
  )
$$;
select is(
  pg_temp.told('store'),
  array['packing.order_completed g completed in a parcel', 'packing.order_completed h completed in a parcel', 'packing.session_ended completed with its code'],
  'every order that leaves is told, and the end of the session once'
);
select is(
  pg_temp.told('new'), array['packing.order_taken_out e cancelled'], 'what is taken out is told as that'
);
select is_empty('select * from interlock.packing_differences', 'the books agree');

select * from finish();
rollback;
