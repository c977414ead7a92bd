-- A picking session from its orders to the parcels: picking, packing, short lines, completing, cancelling, giving up; and who may do what.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, aud, role, email)
values
  ('70000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-70-packer@example.com'),
  ('70000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-70-manager@example.com'),
  ('70000000-0000-4000-8000-0000000000cc', 'authenticated', 'authenticated', 'tap-70@example.com'),
  ('70000000-0000-4000-8000-0000000000dd', 'authenticated', 'authenticated', 'tap-70-other-packer@example.com');
insert into interlock.locations (id, name) values ('70100000-0000-4000-8000-000000000001', 'Store');
insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  ('70000000-0000-4000-8000-000000000001', 'mug', 500, 'EUR', 100, 'physical'),
  ('70000000-0000-4000-8000-000000000002', 'pot', 900, 'EUR', 100, 'physical'),
  ('70000000-0000-4000-8000-000000000003', 'code', 100, 'EUR', 0, 'digital');
insert into interlock.product_codes (product_id, code) values ('70000000-0000-4000-8000-000000000003', 'TAP70');
insert into interlock.product_barcodes (barcode, product_id) values
  ('tap70-mug', '70000000-0000-4000-8000-000000000001'), ('tap70-code', '70000000-0000-4000-8000-000000000003');

-- The packer (aa) works online, dd at the store; bb is a manager of both.
create function pg_temp.act_as(p_user text)
returns void
language sql
as $$
  select
    set_config('role', case when p_user is null then 'service_role' else 'authenticated' end, true),
    set_config('request.jwt.claims', case
      when p_user is null then '{"role": "service_role"}'
      else json_build_object(
        'sub', '70000000-0000-4000-8000-0000000000' || p_user, 'role', 'authenticated',
        'app_metadata', case p_user
          when 'aa' then '{"role": "packer"}'::jsonb
          when 'bb' then jsonb_build_object(
            'role', 'manager',
            'location_ids', jsonb_build_array('00000000-0000-4000-8000-000000000001', '70100000-0000-4000-8000-000000000001')
          )
          when 'dd' then '{"role": "packer", "location_ids": ["70100000-0000-4000-8000-000000000001", 7, "x"]}'::jsonb
          else '{"role": "driver"}'::jsonb
        end || jsonb_build_object('shop_id', interlock.shop_id())
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

-- An order of cc: so many mugs, pots and codes, paid by hand.
create function pg_temp.buy(p_mugs int, p_pots int, p_codes int default 0, p_method text default 'bank_transfer')
returns uuid
language plpgsql
as $$
declare
  v_id uuid;
begin
  perform pg_temp.act_as('cc');
  v_id := (pg_temp.answer(format('public.checkout(%L, p_payment_method => %L)', (
    select jsonb_agg(jsonb_build_object('product_id', '70000000-0000-4000-8000-00000000000' || u.n, 'quantity', u.quantity))
    from (values (1, p_mugs), (2, p_pots), (3, p_codes)) as u (n, quantity)
    where u.quantity > 0
  ), p_method)) -> 'order' ->> 'id')::uuid;
  reset role;
  if p_method = 'bank_transfer' then
    update interlock.orders set status = 'paid' where id = v_id;
  end if;
  return v_id;
end
$$;

create temp table t (name text primary key, id uuid);
grant all on t to authenticated, service_role;
create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select t.id from t where t.name = p_name $$;
create function pg_temp.scan(p_order text, p_product int, p_more text default '')
returns jsonb
language sql
as $$
  select pg_temp.answer(format(
    'public.pack_item(%L, %L, %L%s)', pg_temp.id('session'), pg_temp.id(p_order),
    '70000000-0000-4000-8000-00000000000' || p_product, p_more
  ))
$$;

insert into t values ('a', pg_temp.buy(2, 1, 1)), ('b', pg_temp.buy(3, 0)), ('c', pg_temp.buy(1, 0, 0, 'cash_on_delivery'));
insert into t
select 'unpaid', (pg_temp.answer($$public.checkout('[{"product_id": "70000000-0000-4000-8000-000000000001", "quantity": 1}]', p_payment_method => 'bank_transfer')$$) -> 'order' ->> 'id')::uuid
from pg_temp.act_as('cc');
reset role;

-- Rights.
select pg_temp.act_as('cc');
select is(pg_temp.answer(format('public.create_picking_session(array[%L]::uuid[])', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'who does not work in the warehouse makes no session');
select is(pg_temp.answer(format('public.pack_item(%1$L, %1$L, %1$L)', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor packs');
select is(pg_temp.answer(format('public.pick_item(%L, %L)', pg_temp.id('a'), pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor picks');
select is(pg_temp.answer(format('public.claim_picking(%L)', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor claims');
select is(pg_temp.answer(format('public.release_picking(%L)', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor releases');
select is(pg_temp.answer(format('public.start_packing(%L)', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor starts packing');
select is(pg_temp.answer(format('public.get_picking_session(%L)', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor looks');
select is(pg_temp.answer(format('public.update_packing_progress_atomic(%1$L, %1$L, %1$L)', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor by the report''s first function');
select is(pg_temp.answer(format('to_jsonb(array(select public.increment_packing_quantity(%1$L, 1, 1, %1$L, %1$L)))', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor by its second');
select is(pg_temp.answer(format('public.set_packed_quantity(%1$L, 0, 1)', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor by its third');
select is(pg_temp.answer(format('public.remove_order_from_session(%1$L, %1$L)', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor takes an order out');
select is(pg_temp.answer(format('public.abandon_picking_session(%L)', pg_temp.id('a'))) ->> 'code', 'FORBIDDEN', 'nor gives up a session');
select pg_temp.act_as('dd');
select is(pg_temp.answer(format('public.create_picking_session(array[%L]::uuid[])', pg_temp.id('a'))) ->> 'code', 'LOCATION_NOT_FOUND', 'nobody makes a session where they do not work');

-- Making a session.
select pg_temp.act_as('aa');
select is(
  pg_temp.answer('public.create_picking_session(''{}'')') -> 'details' -> 'problems' -> 0 ->> 'pointer', '/p_order_ids',
  'a session has orders'
);
select is(pg_temp.answer('public.create_picking_session(array[null]::uuid[])') ->> 'code', 'VALIDATION_FAILED', 'none of them null');
select is(
  pg_temp.answer(format('public.create_picking_session(array[%1$L, %1$L]::uuid[])', pg_temp.id('a'))) -> 'details' -> 'problems' -> 0 ->> 'message',
  'must name each order once', 'each once'
);
select is(
  pg_temp.answer($$public.create_picking_session(array['70000000-0000-4000-8000-0000000000ff']::uuid[])$$) ->> 'code', 'ORDER_NOT_FOUND', 'an order that there is'
);
select is(
  pg_temp.answer(format('public.create_picking_session(array[%L, %L]::uuid[])', pg_temp.id('a'), pg_temp.id('unpaid'))) -> 'details' -> 'orders' -> 0 ->> 'order_id',
  pg_temp.id('unpaid')::text, 'and that is paid or confirmed'
);
select is((select count(*)::int from picking_sessions), 0, 'nothing was made of what was refused');
insert into t
select 'session', (pg_temp.answer(format(
  'public.create_picking_session(array[%L, %L, %L]::uuid[], p_reference => ''tap70'')', pg_temp.id('a'), pg_temp.id('b'), pg_temp.id('c')
)) -> 'session' ->> 'id')::uuid;
select is(
  (pg_temp.answer(format(
    'public.create_picking_session(array[%L, %L, %L]::uuid[], p_reference => ''tap70'')', pg_temp.id('a'), pg_temp.id('b'), pg_temp.id('c')
  )) -> 'session' ->> 'id')::uuid,
  pg_temp.id('session'), 'under its reference a session is made once'
);
select is(
  pg_temp.answer(format('public.create_picking_session(array[%L]::uuid[])', pg_temp.id('b'))) -> 'details' -> 'orders' -> 0 ->> 'session_id',
  pg_temp.id('session')::text, 'an order is in one session'
);
select results_eq(
  $$ select product_id::text, quantity_needed::int from picking_session_items order by 1 $$,
  $$ values ('70000000-0000-4000-8000-000000000001', 6), ('70000000-0000-4000-8000-000000000002', 1) $$,
  'it needs what its orders need, and no codes'
);
select is((select count(*)::int from packing_progress), 4, 'line by line');
select matches((select code from picking_sessions), '^P[0-9]{6,}$', 'it has a code');
reset role;
select is((select fulfillment::text from interlock.orders where id = pg_temp.id('c')), 'processing', 'its orders are being processed');
select pg_temp.act_as('cc');
select is(pg_temp.answer(format('public.cancel_order(%L)', pg_temp.id('c'))) ->> 'code', 'ORDER_NOT_CANCELLABLE', 'so the buyer cannot cancel any more');
select is_empty('select 1 from picking_sessions', 'buyers see no sessions');
select is_empty('select 1 from packing_progress', 'nor lines');
select is_empty('select 1 from picking_session_items', 'nor baskets');
select is_empty('select 1 from picking_session_orders', 'nor boxes');
select is_empty('select 1 from packing_scans', 'nor scans');
select pg_temp.act_as('dd');
select is_empty('select 1 from picking_sessions', 'nor does who works somewhere else');
select is(pg_temp.answer(format('public.get_picking_session(%L)', pg_temp.id('session'))) ->> 'code', 'SESSION_NOT_FOUND', 'for whom there is none');
select is(pg_temp.scan('a', 1) ->> 'code', 'SESSION_NOT_FOUND', 'nor can they pack');
select throws_ok('update public.packing_progress set quantity_packed = 1', '42501', null, 'nobody writes tables');

-- Picking.
select pg_temp.act_as('aa');
select is(pg_temp.scan('a', 1) -> 'details' ->> 'status', 'picking', 'nothing is packed before packing has started');
select is(
  pg_temp.answer(format('public.claim_picking(%L)', pg_temp.id('session'))) -> 'product_ids',
  '["70000000-0000-4000-8000-000000000001", "70000000-0000-4000-8000-000000000002"]'::jsonb, 'a picker claims what there is'
);
select pg_temp.act_as('bb');
select is(pg_temp.answer(format('public.claim_picking(%L)', pg_temp.id('session'))) ->> 'code', 'NOTHING_TO_PICK', 'another one finds nothing');
select is(
  pg_temp.answer(format('public.claim_picking(%L, array[%L]::uuid[])', pg_temp.id('session'), '70000000-0000-4000-8000-000000000001')) ->> 'code',
  'PICK_CLAIMED', 'nor what they name'
);
select is(
  pg_temp.answer(format('public.claim_picking(%L, array[%L]::uuid[])', pg_temp.id('session'), '70000000-0000-4000-8000-000000000003')) ->> 'code',
  'PACKING_LINE_NOT_FOUND', 'nor what nobody needs'
);
select is(pg_temp.answer(format('public.claim_picking(%L, ''{}'')', pg_temp.id('session'))) ->> 'code', 'VALIDATION_FAILED', 'nor nothing');
select is(pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'')', pg_temp.id('session'))) ->> 'code', 'PICK_CLAIMED', 'what somebody has nobody else picks');
select is(pg_temp.answer(format('public.release_picking(%L)', pg_temp.id('session'))) -> 'product_ids', '[]'::jsonb, 'who has nothing gives nothing back');
select pg_temp.act_as('aa');
select is(
  pg_temp.answer(format('public.release_picking(%L, array[%L]::uuid[])', pg_temp.id('session'), '70000000-0000-4000-8000-000000000002')) -> 'product_ids' ->> 0,
  '70000000-0000-4000-8000-000000000002', 'a picker gives back a part'
);
select pg_temp.act_as('bb');
select is(
  pg_temp.answer(format('public.claim_picking(%L)', pg_temp.id('session'))) -> 'product_ids' ->> 0,
  '70000000-0000-4000-8000-000000000002', 'which the next one gets'
);
reset role;
update interlock.picking_session_items set picker_until = now() - interval '1 second' where picker_id = '70000000-0000-4000-8000-0000000000bb';
select pg_temp.act_as('aa');
select is(
  pg_temp.answer(format('public.claim_picking(%L)', pg_temp.id('session'))) -> 'product_ids' ->> 1,
  '70000000-0000-4000-8000-000000000002', 'and whoever comes, once the lease is over'
);
select is(pg_temp.answer(format('public.pick_item(%L)', pg_temp.id('session'))) -> 'details' -> 'problems' -> 0 ->> 'pointer', '/p_product_id', 'a pick names something');
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70 mug'')', pg_temp.id('session'))) -> 'details' -> 'problems' -> 0 ->> 'pointer',
  '/p_barcode', 'a barcode has no blanks'
);
select is(pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-none'')', pg_temp.id('session'))) ->> 'code', 'BARCODE_NOT_FOUND', 'that there is');
select is(pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-code'')', pg_temp.id('session'))) ->> 'code', 'WRONG_ITEM', 'and that is needed');
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => 0)', pg_temp.id('session'))) -> 'details' -> 'problems' -> 0 ->> 'pointer',
  '/p_quantity', 'and some of it'
);
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => 7)', pg_temp.id('session'))) ->> 'code',
  'PICK_EXCEEDS_NEEDED', 'not more than the orders need'
);
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => 4, p_basket => ''B7'', p_idempotency_key => ''tap70-1'')', pg_temp.id('session'))) -> 'item' ->> 'quantity_picked',
  '4', 'four mugs'
);
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => 4, p_basket => ''B7'', p_idempotency_key => ''tap70-1'')', pg_temp.id('session'))) -> 'item' ->> 'quantity_picked',
  '4', 'are picked once under a key'
);
select is((select basket::text from picking_session_items where quantity_picked = 4), 'B7', 'into a basket that has a name');
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => -5)', pg_temp.id('session'))) ->> 'code',
  'NOTHING_PICKED', 'not more goes back than was picked'
);
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_short => 2, p_reason => ''empty shelf'')', pg_temp.id('session'))) -> 'item' ->> 'quantity_short',
  '2', 'two mugs are not there'
);
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'')', pg_temp.id('session'))) ->> 'code', 'PICK_EXCEEDS_NEEDED', 'which are not picked then'
);
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => 1, p_short => -1)', pg_temp.id('session'))) -> 'item' ->> 'quantity_picked',
  '5', 'unless one is found'
);
select is(pg_temp.answer(format('public.pick_item(%L, p_product_id => ''70000000-0000-4000-8000-000000000002'')', pg_temp.id('session'))) -> 'item' ->> 'available', '1', 'and a pot');
reset role;
select is(
  (select count(*)::int from interlock.events where type = 'stock.short_pick' and payload ->> 'session_id' = pg_temp.id('session')::text), 2, 'what is not there is told'
);

select pg_temp.act_as(null);
select is((public.audit_inventory() ->> 'new_findings')::int >= 1, true, 'an audit files it');
select results_eq(
  $$ select product_id::text, expected::int, found::int, status::text from inventory_findings where kind = 'picked_short' $$,
  $$ values ('70000000-0000-4000-8000-000000000001', 6, 5, 'open') $$, 'what was found, and what should be there'
);
select is(
  (select public.resolve_finding(f.id, 'counted') -> 'finding' ->> 'status' from inventory_findings f where f.kind = 'picked_short'),
  'resolved', 'until somebody has looked after it'
);
select is((select count(*)::int from inventory_findings where kind = 'picked_short' and status <> 'resolved'), 0, 'then it is gone');

-- Packing.
select pg_temp.act_as('aa');
select is(pg_temp.answer(format('public.start_packing(%L)', pg_temp.id('session'))) -> 'session' ->> 'status', 'packing', 'packing starts');
select is(pg_temp.answer(format('public.start_packing(%L)', pg_temp.id('session'))) -> 'session' ->> 'status', 'packing', 'once');
select is(pg_temp.scan('a', 3) ->> 'code', 'PACKING_LINE_NOT_FOUND', 'what is in no line is not packed');
select is(
  pg_temp.answer(format('public.pack_item(%L, %L, p_barcode => ''tap70-code'')', pg_temp.id('session'), pg_temp.id('a'))) ->> 'code', 'WRONG_ITEM', 'nor scanned'
);
select is(pg_temp.scan('a', 1, ', p_quantity => 0') ->> 'code', 'VALIDATION_FAILED', 'nor nothing of it');
select is(pg_temp.scan('a', 1, ', p_action => ''burn''') -> 'details' -> 'problems' -> 0 ->> 'pointer', '/action', 'nor done what nobody knows');
select is(pg_temp.scan('a', 1, ', p_tracking => ''x''') -> 'details' -> 'problems' -> 0 ->> 'pointer', '/tracking', 'a tracking number goes with complete');
select is(pg_temp.scan('a', 1, ', p_action => ''complete''') -> 'details' -> 'problems' -> 0 ->> 'pointer', '/action', 'which names no product');
select is(
  pg_temp.scan('a', 1, ', p_idempotency_key => ''tap70-2''') - 'progress_id' - 'session_id' - 'order_id' - 'product_id',
  '{
    "success": true, "quantity_packed": 1, "quantity_needed": 2, "quantity_short": 0, "is_item_complete": false, "version": 2,
    "order": {"units_packed": 1, "units_needed": 3, "units_short": 0, "is_order_complete": false},
    "basket": {"quantity_picked": 5, "quantity_packed": 1, "available": 4, "version": 5},
    "session": {"units_packed": 1, "units_picked": 6, "units_needed": 7}
  }'::jsonb,
  'a scan answers all that a screen shows'
);
select is(pg_temp.scan('a', 1, ', p_idempotency_key => ''tap70-2''') ->> 'quantity_packed', '1', 'sent twice under a key it counts once');
select is(pg_temp.scan('a', 2, ', p_idempotency_key => ''tap70-2''') ->> 'code', 'IDEMPOTENCY_KEY_REUSED', 'and the key is for that alone');
select is(
  pg_temp.answer(format('public.update_packing_progress_atomic(%L, %L, %L, %L)', pg_temp.id('session'), pg_temp.id('a'), '70000000-0000-4000-8000-000000000001', '70100000-0000-4000-8000-000000000001')) ->> 'code',
  'SESSION_NOT_FOUND', 'another store has no such session'
);
select is(pg_temp.answer('public.update_packing_progress_atomic(null, null, null)') -> 'details' -> 'problems' -> 1 ->> 'pointer', '/p_product_id', 'ids are required');
select is(
  pg_temp.answer(format('public.update_packing_progress_atomic(%L, %L, %L, %L)', pg_temp.id('session'), pg_temp.id('a'), '70000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001')) - 'progress_id' - 'version',
  jsonb_build_object(
    'success', true, 'order_id', pg_temp.id('a'), 'product_id', '70000000-0000-4000-8000-000000000001',
    'quantity_packed', 2, 'quantity_needed', 2, 'is_item_complete', true
  ),
  'the report''s first function packs one more'
);
select is(pg_temp.scan('a', 1) ->> 'code', 'ALREADY_FULLY_PACKED', 'no line takes more than it needs');
select is(
  (pg_temp.scan('a', 1) #>> '{details,available}')::bigint,
  (
    select i.quantity_picked - i.quantity_packed
    from interlock.picking_session_items i
    where i.picking_session_id = pg_temp.id('session')
      and i.product_id = '70000000-0000-4000-8000-000000000001'
  )::bigint,
  'and it says what is in the basket, out of which nothing was taken'
);
insert into t select 'line of b', p.id from packing_progress p where p.order_id = pg_temp.id('b');
insert into t select 'line of c', p.id from packing_progress p where p.order_id = pg_temp.id('c');
select results_eq(
  format('select order_id, quantity_needed, quantity_packed from public.increment_packing_quantity(%L, 9, 9, %L, %L)', pg_temp.id('line of b'), pg_temp.id('session'), '70000000-0000-4000-8000-000000000001'),
  format('select %L::uuid, 3, 1', pg_temp.id('b')), 'the report''s second function packs one more, whatever its caller believes'
);
select is(
  pg_temp.answer(format('to_jsonb(array(select public.increment_packing_quantity(%L, 1, 1, %L, %L)))', pg_temp.id('line of b'), pg_temp.id('session'), '70000000-0000-4000-8000-000000000002')) ->> 'code',
  'PACKING_LINE_NOT_FOUND', 'of the line that it names'
);
select is(pg_temp.answer('to_jsonb(array(select public.increment_packing_quantity(null, 1, 1, null, null)))') ->> 'code', 'VALIDATION_FAILED', 'it must name one');
select is(
  pg_temp.answer(format('public.set_packed_quantity(%L, 0, 2)', pg_temp.id('line of b'))) ->> 'message', 'PACKING_CONFLICT', 'a number is set only on the one that was read'
);
select is(
  (
    (pg_temp.answer(format('public.set_packed_quantity(%L, 0, 2)', pg_temp.id('line of b'))) ->> 'details')::jsonb #>> '{basket,available}'
  )::bigint,
  (
    select i.quantity_picked - i.quantity_packed
    from interlock.picking_session_items i
    where i.picking_session_id = pg_temp.id('session')
      and i.product_id = '70000000-0000-4000-8000-000000000001'
  )::bigint,
  'with the basket as it is'
);
select is(
  pg_temp.answer(format('public.set_packed_quantity(%L, 1, 2)', pg_temp.id('line of b'))) ->> 'quantity_packed', '2', 'on which it is set'
);
select is(pg_temp.answer(format('public.set_packed_quantity(%L, 2, 2)', pg_temp.id('line of b'))) ->> 'version', '3', 'the same number changes nothing');
select is(pg_temp.answer(format('public.set_packed_quantity(%L, 2, 4)', pg_temp.id('line of b'))) ->> 'code', 'ALREADY_FULLY_PACKED', 'within what is needed');
select is(pg_temp.answer(format('public.set_packed_quantity(%L, -1, 4)', pg_temp.id('line of b'))) ->> 'code', 'VALIDATION_FAILED', 'and not below nothing');
select is(pg_temp.scan('c', 1) ->> 'quantity_packed', '1', 'the fifth mug');
select is(
  pg_temp.scan('b', 1) -> 'details',
  jsonb_build_object(
    'session_id', pg_temp.id('session'), 'order_id', pg_temp.id('b'), 'product_id', '70000000-0000-4000-8000-000000000001',
    'quantity_packed', 2, 'quantity_needed', 3, 'quantity_picked', 5, 'available', 0
  ),
  'over all orders no more is packed than was picked'
);
select is(pg_temp.scan('b', 1) ->> 'code', 'NO_UNITS_TO_PACK', 'there are no units left');
select is(pg_temp.scan('b', 1, ', p_action => ''unpack'', p_quantity => 3') ->> 'code', 'NOTHING_PACKED', 'no more comes out than is in');
select is(pg_temp.scan('b', 1, ', p_action => ''unpack''') ->> 'quantity_packed', '1', 'one comes out');
select is(pg_temp.scan('b', 1) ->> 'quantity_packed', '2', 'and goes in again');
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => -1)', pg_temp.id('session'))) ->> 'code',
  'NOTHING_PICKED', 'what is packed does not go back to the shelf'
);
reset role;
select is((select count(*)::int from interlock.packing_conflicts where picking_session_id = pg_temp.id('session')), 2, 'conflicts are counted');
select is((select sum(conflicts)::int from interlock.packing_conflict_rates where hour = date_trunc('hour', now())), 2, 'for their rate');
select is_empty('select * from interlock.packing_differences', 'the books agree');

-- Screens hear of it.
select pg_temp.act_as('aa');
select is(pg_temp.scan('b', 1, ', p_action => ''unpack''') ->> 'quantity_packed', '1', 'one comes out');
select is(pg_temp.scan('b', 1) ->> 'quantity_packed', '2', 'and goes in');
reset role;
select set_config('realtime.topic', interlock.topic_of_shop('packing:' || pg_temp.id('session')), true);
select pg_temp.act_as('aa');
select results_eq(
  $$ select event::text, (payload ->> 'quantity_packed')::int, (payload ->> 'version')::int from realtime.messages where topic = realtime.topic() and event = 'packing.progress' order by 3 desc limit 2 $$,
  $$ values ('packing.progress', 2, 7), ('packing.progress', 1, 6) $$, 'a worker of the location hears both, each with its version'
);
select is(
  (
    select payload -> 'basket' from realtime.messages
    where topic = realtime.topic() and event = 'packing.progress' and payload ->> 'product_id' = '70000000-0000-4000-8000-000000000001'
    order by (payload #>> '{basket,version}')::int desc limit 1
  ),
  (
    select jsonb_build_object('quantity_needed', 6, 'quantity_picked', 5, 'quantity_packed', 5, 'version', i.version)
    from interlock.picking_session_items i
    where i.picking_session_id = pg_temp.id('session') and i.product_id = '70000000-0000-4000-8000-000000000001'
  ),
  'with what there is of the product'
);
select is(
  (select payload - 'id' from realtime.messages where topic = realtime.topic() and event = 'packing.session' limit 1),
  jsonb_build_object('session_id', pg_temp.id('session'), 'status', 'packing'), 'and what became of the session'
);
select pg_temp.act_as('dd');
select is_empty('select 1 from realtime.messages', 'one of another location nothing');
select pg_temp.act_as('cc');
select is_empty('select 1 from realtime.messages', 'nor does anybody else');
reset role;
select set_config('realtime.topic', interlock.topic_of_shop('packing:x'), true);
select pg_temp.act_as('cc');
select is_empty('select 1 from realtime.messages', 'nor under a topic that is none');
reset role;

-- Completing.
select pg_temp.act_as('aa');
select is(
  pg_temp.answer(format('public.pack_item(%L, %L, p_action => ''complete'')', pg_temp.id('session'), pg_temp.id('b'))) -> 'details' -> 'lines' -> 0 ->> 'quantity_packed',
  '2', 'an order is complete when each line is'
);
select is(pg_temp.scan('b', 1, ', p_action => ''short'', p_quantity => 2') ->> 'code', 'ALREADY_FULLY_PACKED', 'no more is short than is missing');
select is(pg_temp.scan('b', 3, ', p_action => ''short''') ->> 'code', 'PACKING_LINE_NOT_FOUND', 'nor of another product');
select is(pg_temp.scan('b', 1, ', p_action => ''short''') ->> 'is_item_complete', 'true', 'or short');
select is(
  pg_temp.answer(format('public.pack_item(%L, %L, p_action => ''complete'', p_tracking => '''')', pg_temp.id('session'), pg_temp.id('b'))) -> 'details' -> 'problems' -> 0 ->> 'pointer',
  '/tracking', 'a tracking number is one'
);
select is(
  pg_temp.answer(format('public.pack_item(%L, %L, p_action => ''complete'', p_tracking => ''1Z'')', pg_temp.id('session'), pg_temp.id('b'))) - 'shipment_id',
  jsonb_build_object(
    'success', true, 'session_id', pg_temp.id('session'), 'order_id', pg_temp.id('b'), 'status', 'completed', 'tracking', '1Z', 'fulfillment', 'shipped',
    'order', '{"units_packed": 2, "units_needed": 3, "units_short": 1, "is_order_complete": true}'::jsonb,
    'session', '{"status": "packing", "open_orders": 2, "completed_orders": 1}'::jsonb
  ),
  'b leaves as a parcel'
);
select is(
  pg_temp.answer(format('public.pack_item(%L, %L, p_action => ''complete'', p_tracking => ''2Z'')', pg_temp.id('session'), pg_temp.id('b'))) ->> 'tracking',
  '1Z', 'once'
);
select is(pg_temp.scan('b', 1) -> 'details' ->> 'order_status', 'completed', 'and nothing goes into it any more');
select is(
  pg_temp.answer(format('public.remove_order_from_session(%L, %L)', pg_temp.id('session'), pg_temp.id('b'))) ->> 'code', 'SESSION_STATE_CONFLICT', 'nor does it leave the session'
);
reset role;
select is((select count(*)::int from interlock.order_shipments where order_id = pg_temp.id('b')), 1, 'there is one parcel');
select is((select quantity::int from interlock.order_shipment_items where order_id = pg_temp.id('b')), 2, 'with two mugs');
select results_eq(
  format('select refunded::int, fulfillment::text from interlock.orders where id = %L', pg_temp.id('b')), $$ values (500, 'shipped') $$, 'the third is paid back'
);
select is((select available_quantity::int from interlock.products where id = '70000000-0000-4000-8000-000000000001'), 100 - 2 - 3 - 1 - 1, 'and not on the shelf');

-- An order that ends leaves the session, and what was packed for it is in the basket.
select pg_temp.act_as(null);
select is(pg_temp.answer(format('public.refund_order_lines(%L, ''[{"product_id": "70000000-0000-4000-8000-000000000001", "quantity": 1}]'', ''x'')', pg_temp.id('a'))) ->> 'success', 'true', 'a mug of a is refunded');
select results_eq(
  format('select quantity_needed::int, quantity_packed::int from interlock.packing_progress where order_id = %L order by product_id', pg_temp.id('a')),
  $$ values (1, 1), (1, 0) $$, 'and needed no more'
);
select results_eq(
  $$ select quantity_needed::int, quantity_packed::int, quantity_picked::int from interlock.picking_session_items where product_id = '70000000-0000-4000-8000-000000000001' $$,
  $$ values (5, 4, 5) $$, 'it is in the basket'
);
select is(pg_temp.answer(format('public.cancel_order(%L)', pg_temp.id('a'))) ->> 'success', 'true', 'a is cancelled');
select is((select status::text from picking_session_orders where order_id = pg_temp.id('a')), 'cancelled', 'it leaves the session');
select is((select sum(quantity_packed)::int from packing_progress where order_id = pg_temp.id('a')), 0, 'nothing is in its box');
select results_eq(
  $$ select product_id::text, quantity::int from put_backs order by 1 $$,
  $$ values ('70000000-0000-4000-8000-000000000001', 1), ('70000000-0000-4000-8000-000000000002', 1) $$,
  'what nobody needs goes back to the shelf'
);
reset role;
select is_empty('select * from interlock.packing_differences', 'the books agree still');

-- Taking out, and the last one.
select pg_temp.act_as('aa');
select is(
  pg_temp.answer(format('public.remove_order_from_session(%L, %L)', pg_temp.id('session'), pg_temp.id('unpaid'))) ->> 'code', 'PACKING_LINE_NOT_FOUND', 'what is not in the session does not leave it'
);
select is(
  pg_temp.answer(format('public.remove_order_from_session(%L, %L)', pg_temp.id('session'), pg_temp.id('c'))) -> 'session' ->> 'status', 'completed', 'the last order that leaves ends the session'
);
select is(pg_temp.answer(format('public.remove_order_from_session(%L, %L)', pg_temp.id('session'), pg_temp.id('c'))) ->> 'status', 'removed', 'once');
select is(pg_temp.answer(format('public.start_packing(%L)', pg_temp.id('session'))) ->> 'code', 'SESSION_STATE_CONFLICT', 'it does not start again');
select is(pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'')', pg_temp.id('session'))) ->> 'code', 'SESSION_STATE_CONFLICT', 'nobody picks');
select is(pg_temp.answer(format('public.claim_picking(%L)', pg_temp.id('session'))) ->> 'code', 'SESSION_STATE_CONFLICT', 'nor claims');
select is(
  pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => -3)', pg_temp.id('session'))) -> 'item' ->> 'available', '0', 'but what is left goes back'
);
select is((select count(*)::int from put_backs where product_id = '70000000-0000-4000-8000-000000000001'), 0, 'to the shelf');
insert into t
select 'second', (pg_temp.answer(format('public.create_picking_session(array[%L]::uuid[])', pg_temp.id('c'))) -> 'session' ->> 'id')::uuid;
select isnt(pg_temp.id('second'), null, 'what was taken out may go into another session');
select is(pg_temp.answer(format('public.abandon_picking_session(%L)', pg_temp.id('second'))) ->> 'code', 'FORBIDDEN', 'a packer gives none up');
select pg_temp.act_as('bb');
select is(pg_temp.answer(format('public.abandon_picking_session(%L)', pg_temp.id('second'))) -> 'session' ->> 'status', 'abandoned', 'a manager does');
select is(pg_temp.answer(format('public.abandon_picking_session(%L)', pg_temp.id('second'))) -> 'session' ->> 'status', 'abandoned', 'once');

-- At another location; what is short waits.
reset role;
update interlock.settings set short_lines = 'wait';
insert into interlock.inventory (product_id, location_id, quantity)
values ('70000000-0000-4000-8000-000000000001', '70100000-0000-4000-8000-000000000001', 1);
insert into t values ('d', pg_temp.buy(3, 0));
select pg_temp.act_as('dd');
insert into t
select 'third', (pg_temp.answer(format('public.create_picking_session(array[%L]::uuid[], ''70100000-0000-4000-8000-000000000001'')', pg_temp.id('d'))) -> 'session' ->> 'id')::uuid;
update t set id = pg_temp.id('third') where name = 'session';
select is(pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => 2)', pg_temp.id('session'))) ->> 'success', 'true', 'two are picked in the store');
select is(pg_temp.answer(format('public.start_packing(%L)', pg_temp.id('session'))) ->> 'success', 'true', 'to be packed there');
select is(pg_temp.scan('d', 1, ', p_quantity => 2') ->> 'quantity_packed', '2', 'they are');
select is(pg_temp.scan('d', 1, ', p_action => ''short''') ->> 'quantity_short', '1', 'and one is short');
select is(
  pg_temp.answer(format('public.pack_item(%L, %L, p_action => ''complete'')', pg_temp.id('session'), pg_temp.id('d'))) ->> 'code',
  'INSUFFICIENT_INVENTORY', 'what the books of the store do not have does not leave it'
);
reset role;
update interlock.inventory set quantity = 5 where location_id = '70100000-0000-4000-8000-000000000001';
create temp table before as select available_quantity from interlock.products where id = '70000000-0000-4000-8000-000000000001';
select pg_temp.act_as('dd');
select is(
  pg_temp.answer(format('public.pack_item(%L, %L, p_action => ''complete'')', pg_temp.id('session'), pg_temp.id('d'))) ->> 'fulfillment',
  'partly_shipped', 'what is short waits'
);
reset role;
select is((select trim_scale(quantity)::text from interlock.inventory where location_id = '70100000-0000-4000-8000-000000000001'), '3', 'the store has two less');
select is(
  (select available_quantity - (select available_quantity from before) from interlock.products where id = '70000000-0000-4000-8000-000000000001'),
  2, 'and the web shop, which had sold them, two more'
);
select is((select refunded::int from interlock.orders where id = pg_temp.id('d')), 0, 'nothing is paid back');
select is((select status::text from interlock.picking_sessions where id = pg_temp.id('session')), 'completed', 'the last order that is completed ends the session');
select pg_temp.act_as(null);
select is(
  (pg_temp.answer(format('public.create_picking_session(array[%L]::uuid[])', pg_temp.id('d'))) -> 'session' -> 'items' -> 0 ->> 'quantity_needed')::int,
  1, 'the rest goes into another session'
);

-- An order that leaves without its session's complete: what is packed has gone with it, what is not goes back.
insert into t values ('e', pg_temp.buy(2, 1)), ('f', pg_temp.buy(1, 1)), ('g', pg_temp.buy(2, 0)), ('h', pg_temp.buy(2, 0));
select pg_temp.act_as('aa');
insert into t
select 'left', (pg_temp.answer(format('public.create_picking_session(array[%L, %L]::uuid[])', pg_temp.id('e'), pg_temp.id('h'))) -> 'session' ->> 'id')::uuid;
select is(pg_temp.answer(format('public.remove_order_from_session(%L, %L)', pg_temp.id('left'), pg_temp.id('e'))) ->> 'status', 'removed', 'e leaves a session');
select is(pg_temp.answer(format('public.remove_order_from_session(%L, %L)', pg_temp.id('left'), pg_temp.id('h'))) ->> 'status', 'removed', 'and h');
insert into t
select 'sent', (pg_temp.answer(format(
  'public.create_picking_session(array[%L, %L, %L]::uuid[])', pg_temp.id('e'), pg_temp.id('f'), pg_temp.id('h')
)) -> 'session' ->> 'id')::uuid;
update t set id = pg_temp.id('sent') where name = 'session';
select is(pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => 4)', pg_temp.id('session'))) ->> 'success', 'true', 'of another one four mugs are picked');
select is(pg_temp.answer(format('public.pick_item(%L, ''70000000-0000-4000-8000-000000000002'')', pg_temp.id('session'))) ->> 'success', 'true', 'and a pot');
select is(pg_temp.answer(format('public.start_packing(%L)', pg_temp.id('session'))) ->> 'success', 'true', 'to be packed');
select is(pg_temp.scan('e', 1) ->> 'quantity_packed', '1', 'a mug of e is');
select is(pg_temp.scan('e', 2) ->> 'quantity_packed', '1', 'and its pot');
select is(pg_temp.scan('e', 1, ', p_action => ''short''') ->> 'quantity_short', '1', 'another mug is not to be found');
select is(pg_temp.scan('h', 2, ', p_action => ''short''') ->> 'code', 'PACKING_LINE_NOT_FOUND', 'what an order does not need is not short');
select is(
  (select sum(quantity_short)::int from packing_progress where order_id in (pg_temp.id('e'), pg_temp.id('f'), pg_temp.id('h'))), 1, 'nor is anything of another order, or session'
);
select pg_temp.act_as(null);
select is(pg_temp.answer(format('public.refund_order_lines(%L, ''[{"product_id": "70000000-0000-4000-8000-000000000001", "quantity": 1}]'', ''x'')', pg_temp.id('h'))) ->> 'success', 'true', 'a mug of h is refunded');
select is((select quantity_needed::int from packing_progress where order_id = pg_temp.id('h') and picking_session_id = pg_temp.id('session')), 1, 'and needed no more, whatever sessions there are');
select is(pg_temp.answer(format('public.ship_order(%L, ''5Z'')', pg_temp.id('e'))) -> 'order' ->> 'fulfillment', 'shipped', 'staff send e');
select results_eq(
  format('select status::text, shipment_id from picking_session_orders where order_id = %L order by status', pg_temp.id('e')),
  format('select ''completed'', id from order_shipments where order_id = %L union all select ''removed'', null', pg_temp.id('e')),
  'so it is complete, with their parcel'
);
select results_eq(
  format(
    'select quantity_needed::int, quantity_packed::int, quantity_short::int from packing_progress where order_id = %L and picking_session_id = %L order by product_id',
    pg_temp.id('e'), pg_temp.id('session')
  ),
  $$ values (1, 1, 0), (1, 1, 0) $$, 'what was packed has gone with it'
);
select results_eq(
  format('select product_id::text, quantity::int from put_backs where picking_session_id = %L', pg_temp.id('session')),
  $$ values ('70000000-0000-4000-8000-000000000001', 1) $$,
  'what was picked for it and not packed goes back, but for the mugs that others need'
);
select is(
  array(select action::text from packing_scans where order_id = pg_temp.id('e') and picking_session_id = pg_temp.id('session') order by id),
  array['pack', 'pack', 'short', 'complete'], 'the history says so'
);
select pg_temp.act_as('aa');
select is(pg_temp.scan('e', 1) -> 'details' ->> 'order_status', 'completed', 'nothing goes into its box any more');
select is(pg_temp.scan('e', 1, ', p_action => ''short''') -> 'details' ->> 'order_status', 'completed', 'nor is anything of it short');
select is(
  pg_temp.answer(format('public.pack_item(%L, %L, p_action => ''complete'')', pg_temp.id('session'), pg_temp.id('e'))) ->> 'tracking', '5Z', 'who completes it is told of the parcel'
);
select is(pg_temp.answer(format('public.remove_order_from_session(%L, %L)', pg_temp.id('session'), pg_temp.id('h'))) ->> 'status', 'removed', 'h leaves');
select pg_temp.act_as(null);
select is(
  pg_temp.answer(format('public.ship_order_lines(%L, ''[{"product_id": "70000000-0000-4000-8000-000000000001", "quantity": 1}]'', ''6Z'')', pg_temp.id('f'))) -> 'order' ->> 'fulfillment',
  'partly_shipped', 'a part of f is sent'
);
select is((select status::text from picking_session_orders where order_id = pg_temp.id('f')), 'open', 'so it is still to be packed');
select is(
  pg_temp.answer(format('public.ship_order_lines(%L, ''[{"product_id": "70000000-0000-4000-8000-000000000002", "quantity": 1}]'', ''7Z'')', pg_temp.id('f'))) -> 'order' ->> 'fulfillment',
  'shipped', 'then the rest'
);
select results_eq(
  format('select b.status::text, h.tracking::text, s.status::text from picking_session_orders b join order_shipments h on h.id = b.shipment_id join picking_sessions s on s.id = b.picking_session_id where b.order_id = %L', pg_temp.id('f')),
  $$ values ('completed', '7Z', 'completed') $$, 'with the last order the session ends'
);
select pg_temp.act_as('dd');
insert into t
select 'store', (pg_temp.answer(format('public.create_picking_session(array[%L]::uuid[], ''70100000-0000-4000-8000-000000000001'')', pg_temp.id('g'))) -> 'session' ->> 'id')::uuid;
update t set id = pg_temp.id('store') where name = 'session';
select is(pg_temp.answer(format('public.pick_item(%L, p_barcode => ''tap70-mug'', p_quantity => 2)', pg_temp.id('session'))) ->> 'success', 'true', 'two mugs are picked in the store');
select is(pg_temp.answer(format('public.start_packing(%L)', pg_temp.id('session'))) ->> 'success', 'true', 'to be packed there');
select is(pg_temp.scan('g', 1) ->> 'quantity_packed', '1', 'one of them is');
reset role;
update interlock.inventory set quantity = 0 where location_id = '70100000-0000-4000-8000-000000000001';
select pg_temp.act_as(null);
select is(pg_temp.answer(format('public.fulfill_order(%L)', pg_temp.id('g'))) ->> 'code', 'INSUFFICIENT_INVENTORY', 'what the books of the store do not have is not handed over');
reset role;
update interlock.inventory set quantity = 3 where location_id = '70100000-0000-4000-8000-000000000001';
update before set available_quantity = (select available_quantity from interlock.products where id = '70000000-0000-4000-8000-000000000001');
select pg_temp.act_as(null);
select is(pg_temp.answer(format('public.fulfill_order(%L)', pg_temp.id('g'))) -> 'order' ->> 'status', 'fulfilled', 'what they have is');
reset role;
select is((select status::text from interlock.picking_sessions where id = pg_temp.id('session')), 'completed', 'and its session is over');
select is((select trim_scale(quantity)::text from interlock.inventory where location_id = '70100000-0000-4000-8000-000000000001'), '2', 'the store has the packed one less');
select is(
  (select available_quantity - (select available_quantity from before) from interlock.products where id = '70000000-0000-4000-8000-000000000001'),
  1, 'and the web shop, which had sold it, one more'
);
select is_empty('select * from interlock.packing_differences', 'the books agree still');

-- What nobody works at is given up.
select is(public.abandon_stale_sessions(), '{"success": true, "abandoned": 0}'::jsonb, 'a session that is new stays');
reset role;
update interlock.picking_sessions set created_at = now() - interval '3 days' where ended_at is null;
select pg_temp.act_as(null);
select is(public.abandon_stale_sessions(), '{"success": true, "abandoned": 1}'::jsonb, 'one at which nobody has worked for two days does not');
reset role;
select is_empty('select * from interlock.packing_differences', 'the books agree in the end');
select throws_ok('delete from interlock.packing_scans', '23001', null, 'scans are append-only');
create function pg_temp.broken_by(p_sql text)
returns text
language plpgsql
as $$
declare
  v_constraint text;
begin
  execute p_sql;
  return null;
exception
  when check_violation then
    get stacked diagnostics v_constraint = constraint_name;
    return v_constraint;
end
$$;
select is(
  pg_temp.broken_by($$
    insert into interlock.packing_scans (picking_session_id, action, quantity, version) values (gen_random_uuid(), 'pack', 1, 1)
  $$),
  'packing_scans_line_whole', 'and have all numbers of a line, or none'
);
select is(
  pg_temp.broken_by('update interlock.picking_session_items set picker_until = null, picker_id = gen_random_uuid()'),
  'picking_session_items_picker_whole', 'a lease on picking has an end'
);
select is(
  pg_temp.broken_by('update interlock.picking_session_items set picker_until = now(), picker_id = null'),
  'picking_session_items_picker_whole', 'and somebody'
);
select throws_ok('delete from interlock.packing_conflicts', '23001', null, 'and conflicts');

select * from finish();
rollback;
