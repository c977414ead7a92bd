-- One deadline for all that a call waits for: who asks for what is left of it, and what they are told.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(29);

-- What is left -------------------------------------------------------------------

-- lock_timeout after a call of limit_wait, in milliseconds, so long after the statement began.
create function pg_temp.left_after(p_slept double precision, p_timeout text)
returns numeric
language plpgsql
as $$
begin
  perform set_config('lock_timeout', p_timeout, true), pg_sleep(p_slept);
  assert interlock.limit_wait();
  return (extract(epoch from current_setting('lock_timeout')::interval) * 1000)::numeric;
end
$$;
select cmp_ok(pg_temp.left_after(0.2, '2s'), '<=', 1800.0, 'what has passed is not left');
select cmp_ok(pg_temp.left_after(0.2, '2s'), '>', 300.0, 'and what has not is');
select is(pg_temp.left_after(0.2, '50ms'), 50.0, 'a shorter limit stays');
select is(pg_temp.left_after(0, '0'), 0.0, 'where no limit of ours is in force there stays none');
select is(pg_temp.left_after(0.2, '8s'), 8000.0, 'nor is another one touched: it would outlive the statement');
-- Of a statement that began long ago one millisecond is left: without any, the wait would have no end.
create function pg_temp.begun_long_ago()
returns text
language plpgsql
as $$
declare
  v_source text;
begin
  select replace(pg_get_functiondef('interlock.limit_wait()'::regprocedure), 'clock_timestamp()', '(now() + interval ''1 hour'')')
  into v_source;
  execute v_source;
  perform set_config('lock_timeout', '2s', true), interlock.limit_wait();
  return current_setting('lock_timeout');
end
$$;
savepoint before;
select is(pg_temp.begun_long_ago(), '1ms', 'of a statement that began long ago as little as can be');
rollback to before;
set local lock_timeout = 0;

-- Who asks -----------------------------------------------------------------------

-- A helper that waits need not be the first of its call to do so, but for these. The condition stands in each of
-- them as it must; what follows shows that it is asked before the lock.
select is_empty(
  $$
    select p.proname
    from pg_proc p
    where p.pronamespace = 'interlock'::regnamespace
      and p.prosrc ~ 'for (no key )?update( of [a-z]+)?\s*(;|\)|\n)|pg_advisory_xact_lock'
      and p.proname not in (
        -- The first lock of every call that takes it.
        'lock_promo_attempts', 'set_stock_slots', 'set_promo_slots', 'has_room_for_proof',
        -- No call: the shop's own change of the settings, and a file that is brought in by hand, with a limit of its own.
        'count_orders_so_far', 'note_tax_rates', 'import_stock',
        -- Nor these: a commit of the shop's own, which may have written for long before it comes to the first product, with a
        -- limit of its own for each; and links that are made, filled and ended.
        'bring_linked_changes', 'bring_products', 'bring_customers', 'fill_link', 'fill_customers', 'fill_orders', 'unlink_products',
        'unlink_customers', 'unlink_orders'
      )
      and p.prosrc !~ 'clock_timestamp\(\) > statement_timestamp\(\) \+ interval ''100 milliseconds'' then\s+perform interlock\.limit_wait\(\);'
      and p.prosrc !~ 'clock_timestamp\(\) < statement_timestamp\(\) \+ interval ''100 milliseconds'' or interlock\.limit_wait\(\)'
  $$,
  'every function that locks rows and waits for them limits the wait'
);

create temporary table limited (n int generated always as identity, by text);
grant all on limited to public;
create or replace function interlock.limit_wait()
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_context text;
begin
  get diagnostics v_context = pg_context;
  -- The first line is this function's own, the second its caller's.
  insert into pg_temp.limited (by)
  select c.name[1] from regexp_matches(v_context, 'function interlock\.(\w+)', 'g') with ordinality as c (name, place)
  where c.place = 2;
  return true;
end
$$;

insert into auth.users (id, aud, role, email)
values ('7f000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-late@example.com');
insert into interlock.wallets (user_id, balance, currency) values ('7f000000-0000-4000-8000-000000000001', 100000, 'USD');
insert into interlock.products (id, name, price, currency, available_quantity, stock_slots)
select ('7f000000-0000-4000-8000-00000000001' || n)::uuid, 'tap ' || n, 100, 'USD', 500, 0 from generate_series(1, 3) as n;
insert into interlock.promo_codes (code, discount_type, discount_value) values ('TAPLATE', 'percentage', 10);
delete from interlock.batches;
insert into interlock.drivers (user_id) values ('7f000000-0000-4000-8000-000000000001');
insert into interlock.batches (id)
select ('7f000000-0000-4000-8000-00000000002' || n)::uuid from generate_series(1, 2) as n;

-- Who limits a wait in a statement that has lasted a tenth of a second already, in order, each once.
create function pg_temp.limits_of(p_sql text, p_role text default 'authenticated')
returns text
language plpgsql
as $$
declare
  v_answer text;
begin
  truncate limited;
  perform set_config('request.jwt.claims', jsonb_build_object('role', p_role, 'sub',
      case p_role when 'authenticated' then '7f000000-0000-4000-8000-000000000001' end)::text, true),
    set_config('role', p_role, true), pg_sleep(0.11);
  execute p_sql into v_answer;
  reset role;
  return (select string_agg(l.by, ' ' order by l.n) from (select by, min(n) as n from limited group by by) l);
end
$$;

select is(
  pg_temp.limits_of($$select public.checkout('[{"product_id": "7f000000-0000-4000-8000-000000000011", "quantity": 1},
    {"product_id": "7f000000-0000-4000-8000-000000000012", "quantity": 1}]', 'TAPLATE', null, 'wallet', 'late-1')$$),
  'begin_idempotent lock_wallet lock_user lock_promo_users count_promo_use take_from_rows',
  'a checkout limits each of its waits'
);
select is((select count(*) from limited where by = 'take_from_rows'), 2::bigint, 'and that for each of its products');
insert into interlock.locations (id, name) values ('7f000000-0000-4000-8000-000000000031', 'Late');
select is(
  pg_temp.limits_of($$select public.manage_inventory('receive', '[{"product_id": "7f000000-0000-4000-8000-000000000011", "quantity": 1},
    {"product_id": "7f000000-0000-4000-8000-000000000012", "location_id": "7f000000-0000-4000-8000-000000000031", "quantity": 1}]',
    p_idempotency_key => 'late-inventory')$$, 'service_role'),
  'begin_idempotent lock_inventory lock_stock', 'so does a change of stock in several places'
);
select is((select count(*) from limited where by = 'lock_inventory'), 2::bigint, 'where a row is made and where one is locked');
select is(
  pg_temp.limits_of($$select public.decrement_inventory(id, 1) from interlock.inventory where location_id = '7f000000-0000-4000-8000-000000000031'$$, 'service_role'),
  'decrement_row', 'and a sale there'
);
select is(
  pg_temp.limits_of(format('select public.cancel_order(%L, %L)',
    (select id from interlock.orders where user_id = '7f000000-0000-4000-8000-000000000001'), 'late-2'), 'service_role'),
  'begin_idempotent lock_user lock_order credit_wallet lock_promo_users end_promo_uses lock_stock',
  'so does the end of an order'
);
select is(
  pg_temp.limits_of($$select public.checkout('[{"product_id": "7f000000-0000-4000-8000-000000000013", "quantity": 1}]',
    p_cart_id => '7f000000-0000-4000-8000-000000000051', p_idempotency_key => 'late-5')$$),
  'lock_cart take_open_order checkout_line', 'a checkout of a single line'
);
select is(
  pg_temp.limits_of($$select public.reserve_cart('[{"product_id": "7f000000-0000-4000-8000-000000000011", "quantity": 1}]')$$),
  'lock_user reserve_cart take_reservation take_open_order lock_stock take_from_row', 'a cart that is reserved'
);
update interlock.products set max_per_customer = 100 where id = '7f000000-0000-4000-8000-000000000012';
select is(
  pg_temp.limits_of($$select public.reserve_cart('[{"product_id": "7f000000-0000-4000-8000-000000000012", "quantity": 1}]')$$),
  'lock_user reserve_cart take_customer_limits take_reservation take_open_order lock_stock take_from_row',
  'another one, of what is limited'
);
select is((select count(*) from limited where by = 'take_reservation'), 2::bigint, 'and that for what counts of it, too');
delete from interlock.cart_reservation_lines;
delete from interlock.cart_reservations;
insert into interlock.products (id, name, price, currency, kind)
values ('7f000000-0000-4000-8000-000000000014', 'tap 4', 100, 'USD', 'digital');
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, paid_at)
values ('7f000000-0000-4000-8000-000000000015', '7f000000-0000-4000-8000-000000000001', 'paid', 'USD', 100, 100, 'cash_on_delivery', now());
insert into interlock.product_codes (product_id, code, order_id, used_at)
values ('7f000000-0000-4000-8000-000000000014', 'a', '7f000000-0000-4000-8000-000000000015', now());
select is(
  pg_temp.limits_of(format($$select public.replace_product_code(%s, 'used', 'b')$$,
    (select id from interlock.product_codes where product_id = '7f000000-0000-4000-8000-000000000014')), 'service_role'),
  'lock_user lock_order replace_product_code', 'a key that is entered'
);
select public.set_stock_slots('7f000000-0000-4000-8000-000000000013', 2);
select is(
  pg_temp.limits_of($$select interlock.use_slot('7f000000-0000-4000-8000-000000000013', 1, true)$$, 'postgres'),
  'use_slot', 'a sale from a slot'
);
select is(
  pg_temp.limits_of('select public.claim_route()'), 'lock_driver take_batch', 'a claim'
);
select is(
  pg_temp.limits_of($$select public.claim_route('7f000000-0000-4000-8000-000000000021', 'start', 'late-3')$$),
  'begin_idempotent lock_driver act_on_held_batch', 'what is done with a batch'
);
update interlock.batches set claimed_at = now() - interval '1 day', lease_expires_at = now() - interval '1 hour' where driver_id is not null;
select is(
  pg_temp.limits_of($$select public.claim_route('7f000000-0000-4000-8000-000000000022')$$),
  'lock_driver lock_claimable_batch take_batch', 'a claim in place of another'
);
update interlock.batches set claimed_at = now() - interval '1 day', lease_expires_at = now() - interval '1 hour' where driver_id is not null;
select is(
  pg_temp.limits_of($$select public.assign_batch('7f000000-0000-4000-8000-000000000021', '7f000000-0000-4000-8000-000000000001')$$,
    'service_role'),
  'assign_batch', 'an assignment'
);
insert into auth.users (id, aud, role, is_anonymous)
values ('7f000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', true);
insert into interlock.wallets (user_id, balance, currency) values ('7f000000-0000-4000-8000-000000000002', 100, 'USD');
select is(
  pg_temp.limits_of($$select public.move_orders('7f000000-0000-4000-8000-000000000002', '7f000000-0000-4000-8000-000000000001')$$,
    'service_role'),
  'move_guest move_reservation move_wallet_money credit_wallet move_promo_uses', 'what a guest has, on its way'
);
select is((select count(*) from limited where by = 'move_guest'), 3::bigint, 'accounts, orders, and what counts against limits');

-- A picking session of one order: a unit of it is packed, the other one is short.
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, fulfillment)
values ('7f000000-0000-4000-8000-000000000041', '7f000000-0000-4000-8000-000000000001', 'confirmed', 'USD', 200, 200, 'cash_on_delivery', 'processing');
insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
values ('7f000000-0000-4000-8000-000000000041', '7f000000-0000-4000-8000-000000000011', 2, 100, 'tap 1', 'physical');
insert into interlock.picking_sessions (id, location_id, status, open_orders)
values ('7f000000-0000-4000-8000-000000000042', interlock.online_location(), 'packing', 1);
insert into interlock.picking_session_orders (picking_session_id, order_id, position)
values ('7f000000-0000-4000-8000-000000000042', '7f000000-0000-4000-8000-000000000041', 1);
insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed, quantity_picked)
values ('7f000000-0000-4000-8000-000000000042', '7f000000-0000-4000-8000-000000000011', 2, 1);
insert into interlock.packing_progress (picking_session_id, order_id, product_id, quantity_needed)
values ('7f000000-0000-4000-8000-000000000042', '7f000000-0000-4000-8000-000000000041', '7f000000-0000-4000-8000-000000000011', 2);
create function pg_temp.scan(p_more text)
returns text
language sql
as $$
  select format(
    'select public.pack_item(''7f000000-0000-4000-8000-000000000042'', ''7f000000-0000-4000-8000-000000000041'', %s)', p_more
  )
$$;
select is(
  pg_temp.limits_of(pg_temp.scan($$'7f000000-0000-4000-8000-000000000011', p_idempotency_key => 'late-4'$$), 'service_role'),
  'begin_idempotent pack_units', 'a scan'
);
select is((select count(*) from limited where by = 'pack_units'), 3::bigint, 'for its turn, for the basket and for the line');
select is(
  pg_temp.limits_of(pg_temp.scan($$'7f000000-0000-4000-8000-000000000011', p_action => 'short'$$), 'service_role'),
  'give_up_units', 'a unit that is short'
);
update interlock.settings set short_lines = 'wait';
select is(
  pg_temp.limits_of(pg_temp.scan($$p_action => 'complete'$$), 'service_role'),
  'lock_user lock_order lock_box complete_box close_box', 'an order that is complete'
);

select * from finish();
rollback;
