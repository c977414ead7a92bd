-- Broadcasts: what is sent when a batch, an order or a stock changes, what is not, and who may hear it.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(34);

insert into auth.users (id, aud, role, email)
select
  ('81000000-0000-4000-8000-0000000000' || u)::uuid, 'authenticated', 'authenticated', format('tap-81-%s@example.com', u)
from unnest('{aa,bb,cc,dd,ee}'::text[]) u;
-- aa is staff, bb buys, cc drives, dd has driven.
insert into interlock.drivers (user_id, active)
values ('81000000-0000-4000-8000-0000000000cc', true), ('81000000-0000-4000-8000-0000000000dd', false);
insert into interlock.products (id, name, price, currency, available_quantity, active)
values
  ('81000000-0000-4000-8000-000000000001', 'shown', 500, 'EUR', 10, true),
  ('81000000-0000-4000-8000-000000000002', 'hidden', 500, 'EUR', 10, false);

create function pg_temp.act_as(p_user text)
returns void
language sql
as $$
  select
    set_config('role', case when p_user in ('anon', 'service_role') then p_user else 'authenticated' end, true),
    set_config('request.jwt.claims', case
      when p_user in ('anon', 'service_role') then format('{"role": "%s"}', p_user)
      else json_build_object(
        'sub', '81000000-0000-4000-8000-0000000000' || p_user, 'role', 'authenticated',
        'app_metadata', json_build_object(
          'role', case p_user when 'aa' then 'staff' when 'ee' then 'packer' end, 'shop_id', interlock.shop_id()
        )
      )::text
    end, true)
$$;

-- What was sent under a topic since it was asked last.
create function pg_temp.sent(p_topic text)
returns table (event text, payload jsonb)
language plpgsql
as $$
begin
  reset role;
  return query
    with sent as (
      select m.event::text as event, m.payload - 'id' - 'created_at' as payload, m.private, m.extension
      from realtime.messages m
      where m.topic = interlock.topic_of_shop(p_topic)
      order by coalesce((m.payload ->> 'version')::int, 0), m.inserted_at
    )
    select s.event, s.payload from sent s where s.private and s.extension = 'broadcast';
end
$$;
create function pg_temp.forget()
returns void
language sql
as $$ delete from realtime.messages $$;

-- Whether a user may join a topic, as the platform finds it out.
create function pg_temp.hears(p_user text, p_topic text)
returns boolean
language plpgsql
as $$
declare
  v_id constant uuid := gen_random_uuid();
  v_topic constant text := interlock.topic_of_shop(p_topic);
  v_heard boolean;
begin
  insert into realtime.messages (id, topic, extension) values (v_id, v_topic, 'broadcast');
  perform set_config('realtime.topic', v_topic, true);
  perform pg_temp.act_as(p_user);
  v_heard := exists (select from realtime.messages m where m.id = v_id);
  reset role;
  return v_heard;
end
$$;
create function pg_temp.who_hears(p_topic text)
returns text
language sql
as $$ select string_agg(u, ' ' order by u) from unnest('{aa,bb,cc,dd,ee,anon}'::text[]) u where pg_temp.hears(u, p_topic) $$;

select is(interlock.prepare_realtime(), true, 'realtime is made ready');
select is(interlock.prepare_realtime(), true, 'as often as one asks');
select is(
  (select array_agg(polname || ' ' || polcmd::text) from pg_policy where polrelid = 'realtime.messages'::regclass),
  '{"interlock_select_listeners r"}', 'by one policy, which lets nobody send'
);

-- Batches.
select pg_temp.forget();
insert into interlock.batches (id, reference, priority) values ('81b00000-0000-4000-8000-000000000001', 'north', 3);
select results_eq(
  $$ select * from pg_temp.sent('batches') $$,
  $$ values ('batch.changed', '{"batch_id": "81b00000-0000-4000-8000-000000000001", "status": "available", "priority": 3, "reference": "north", "version": 1}'::jsonb) $$,
  'drivers hear of a new batch'
);
select pg_temp.forget();
select pg_temp.act_as('cc');
select is(public.claim_route('81b00000-0000-4000-8000-000000000001', 'claim') ->> 'success', 'true', 'one claims it');
select results_eq(
  $$ select payload ->> 'status', (payload ->> 'version')::int from pg_temp.sent('batches') $$, $$ values ('claimed', 2) $$,
  'the others hear that it is gone, with its version'
);
select is_empty($$ select 1 from pg_temp.sent('batches') where payload::text ~ '81000000' $$, 'and not who has it');
select pg_temp.forget();
select pg_temp.act_as('cc');
select is(public.claim_route('81b00000-0000-4000-8000-000000000001', 'renew') ->> 'success', 'true', 'it is renewed');
select is_empty($$ select 1 from pg_temp.sent('batches') $$, 'which nobody hears of');
select pg_temp.act_as('cc');
select is(public.claim_route('81b00000-0000-4000-8000-000000000001', 'release') ->> 'success', 'true', 'it is released');
reset role;
update interlock.batches set priority = 9 where id = '81b00000-0000-4000-8000-000000000001';
delete from interlock.batches where id = '81b00000-0000-4000-8000-000000000001';
select results_eq(
  $$ select payload ->> 'status', (payload ->> 'priority')::int, (payload ->> 'version')::int from pg_temp.sent('batches') $$,
  $$ values ('available', 3, 4), ('available', 9, 5), ('deleted', 9, 6) $$, 'it is there again, changes, and goes'
);
select is(pg_temp.who_hears('batches'), 'aa cc', 'active drivers and staff hear of batches');

-- Orders.
create temporary table placed on commit drop as select null::uuid as id;
grant select, update on placed to authenticated, service_role;
create function pg_temp.order_id() returns uuid language sql as $$ select id from placed $$;
select pg_temp.forget();
select pg_temp.act_as('bb');
update placed set id = (public.checkout(
  '[{"product_id": "81000000-0000-4000-8000-000000000001", "quantity": 2}]', p_payment_method => 'bank_transfer'
) -> 'order' ->> 'id')::uuid;
reset role;
select isnt(pg_temp.order_id(), null, 'an order is placed');
select is_empty('select 1 from realtime.messages', 'of a checkout nobody hears: neither of its order nor of a stock that stays at its step');
update interlock.orders set counted_units = null where id = pg_temp.order_id();
select is_empty('select 1 from realtime.messages', 'nor of what its buyer does not see');
select pg_temp.act_as('service_role');
select public.cancel_order(pg_temp.order_id());
select results_eq(
  $$ select * from pg_temp.sent('order:' || pg_temp.order_id()) $$,
  $$ select 'order.changed', jsonb_build_object('order_id', pg_temp.order_id(), 'status', 'cancelled', 'fulfillment', 'unfulfilled') $$,
  'its buyer hears of its end'
);
select is(pg_temp.who_hears('order:' || pg_temp.order_id()), 'aa bb', 'and staff do');
select is(pg_temp.who_hears('order:' || gen_random_uuid()), null, 'nobody hears of an order that is none');

-- Stock: each step, not each sale.
select pg_temp.forget();
create function pg_temp.add(p_units int)
returns void
language sql
as $$
  update interlock.products set available_quantity = available_quantity + p_units where id = '81000000-0000-4000-8000-000000000001'
$$;
select pg_temp.add(d) from unnest('{-4,-1,-4,-1,1,4,1,20,-20}'::int[]) d;
select results_eq(
  $$ select event, (payload ->> 'available_quantity')::int, payload ->> 'state' from pg_temp.sent('stock:81000000-0000-4000-8000-000000000001') order by 2 $$,
  $$ values ('stock.changed', 0, 'sold_out'), ('stock.changed', 1, 'low'), ('stock.changed', 5, 'low'), ('stock.changed', 6, 'in_stock') $$,
  'of a stock is heard when it is low, none, there again, and plenty'
);
select is(
  (select m.payload - 'id' from realtime.messages m where m.payload ->> 'available_quantity' = '5'),
  '{"product_id": "81000000-0000-4000-8000-000000000001", "available_quantity": 5, "stock_policy": "tracked", "state": "low"}', 'with its number'
);
select is(pg_temp.who_hears('stock:81000000-0000-4000-8000-000000000001'), 'aa anon bb cc dd ee', 'everybody hears of what everybody sees');
select is(pg_temp.who_hears('stock:81000000-0000-4000-8000-000000000002'), 'aa', 'and only staff of what is not shown');

-- Picking sessions (70-packing.sql has what is sent).
insert into interlock.picking_sessions (id, location_id, open_orders)
values ('81c00000-0000-4000-8000-000000000001', interlock.online_location(), 1);
select is(pg_temp.who_hears('packing:81c00000-0000-4000-8000-000000000001'), 'aa ee', 'who works in the warehouse hears of its sessions');

-- Nothing else.
select is(pg_temp.who_hears(topic), null, format('nobody hears under %L', topic))
from unnest(array['', 'batch', 'batches:', 'order:', 'order:x', 'stock', 'packing:81c00000', 'other:81000000-0000-4000-8000-000000000001']) topic;
select pg_temp.act_as('aa');
select throws_ok(
  $$ insert into realtime.messages (topic, extension, private) values ('batches', 'broadcast', true) $$, '42501', null, 'nobody sends for the shop'
);
select throws_ok($$ select interlock.broadcast('batches', 'x', '{}') $$, '42501', null, 'nor by our function');
reset role;

-- What fails stops nothing: it is a warning.
set local client_min_messages = error;
select lives_ok($$ select interlock.broadcast(null, 'x', '{}') $$, 'a message that cannot be sent fails nothing');

select * from finish();
rollback;
