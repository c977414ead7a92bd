-- How long history is kept: what goes, what stays, that nothing else deletes it.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(67);

create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select md5('26-retention ' || p_name)::uuid $$;

select results_eq(
  $$
    select keep_promo_attempts, keep_promo_holds, keep_batch_events, keep_order_events, keep_payment_proofs,
      keep_stock_movements, keep_wallet_movements, keep_payment_events, keep_inventory_conflicts, keep_events, keep_deliveries, keep_packing_scans,
      parked_sale_limit, keep_parked_sales
    from interlock.settings
  $$,
  $$
    values (
      interval '1 day', interval '90 days', interval '1 year', null::interval, null::interval,
      null::interval, null::interval, interval '1 year', interval '90 days', interval '90 days', interval '30 days', null::interval,
      interval '30 days', interval '90 days'
    )
  $$,
  'guesses, holds, deliveries and what providers say are kept for a time, what is about money for ever'
);
select throws_ok(
  format('update interlock.settings set %I = %L', 'keep_' || n.name, v.value), '23514',
  format('new row for relation "settings" violates check constraint "settings_keep_%s_sane"', n.name),
  format('keep_%s is not %s', n.name, v.value)
)
from (values
  ('promo_attempts', '59 minutes'), ('promo_holds', '23 hours'), ('batch_events', '23 hours'), ('order_events', '23 hours'),
  ('payment_proofs', '23 hours'), ('stock_movements', '23 hours'), ('wallet_movements', '23 hours'),
  ('payment_events', '29 days'), ('inventory_conflicts', '59 minutes'), ('events', '23 hours'), ('deliveries', '23 hours'), ('packing_scans', '23 hours'),
  ('parked_sales', '23 hours')
) as n (name, least)
cross join lateral (values (n.least), ('101 years')) as v (value);

-- Nothing of others is due.
update interlock.settings
set keep_promo_attempts = '50 years', keep_promo_holds = '50 years', keep_batch_events = '50 years',
  keep_order_events = '50 years', keep_payment_proofs = '50 years', keep_stock_movements = '50 years',
  keep_wallet_movements = '50 years', keep_payment_events = '50 years', keep_inventory_conflicts = '50 years', keep_events = '50 years', keep_deliveries = '50 years', keep_packing_scans = '50 years', keep_parked_sales = '50 years', promo_hold_limit = '1 hour';
create function pg_temp.ago(p_rest interval)
returns timestamptz
language sql
as $$ select now() - interval '50 years' - p_rest $$;

-- Of each kind two that are due, one that is so at this moment and no sooner, and what is old and has not ended.
insert into interlock.promo_attempts
values
  (pg_temp.id('a1'), array[pg_temp.ago('2 days'), pg_temp.ago('1 day')]),
  (pg_temp.id('a2'), array[pg_temp.ago('1 day')]),
  (pg_temp.id('a3'), array[pg_temp.ago('1 day'), pg_temp.ago('0')]);
insert into interlock.promo_codes (id, code, discount_type, discount_value) values (pg_temp.id('p'), 'TAP-KEEP', 'percentage', 10);
insert into interlock.promo_redemptions (id, promo_id, user_id, cart_id, status, discount, held_until, redeemed_at, ended_at)
select
  pg_temp.id(r.name), pg_temp.id('p'), pg_temp.id('ann'), pg_temp.id(r.name), r.status, 0,
  pg_temp.ago('1 day'), case when r.status in ('redeemed', 'returned') then pg_temp.ago('1 day') end, r.ended_at
from (values
  ('r released', 'released', pg_temp.ago('1 day')), ('r expired', 'expired', pg_temp.ago('1 day')),
  ('r young', 'expired', pg_temp.ago('0')), ('r held', 'held', null), ('r redeemed', 'redeemed', null),
  ('r returned', 'returned', pg_temp.ago('1 day')), ('r returned young', 'returned', pg_temp.ago('0'))
) as r (name, status, ended_at);
insert into interlock.promo_user_uses (promo_id, user_id, used, held_since)
select pg_temp.id(u.name), pg_temp.id('ann'), u.used, u.held_since
from (values
  ('u over', 0, pg_temp.ago('3 hours')), ('u bought', 0, null), ('u young', 0, pg_temp.ago('2 hours')),
  ('u used', 1, pg_temp.ago('3 hours'))
) as u (name, used, held_since);
insert into interlock.payment_events (provider, event_id, type, outcome, created_at)
select 'stripe', 'evt_tap_' || e.name, 'tap', 'noted', pg_temp.ago(e.rest)
from (values ('a', interval '2 days'), ('b', '1 day'), ('young', '0')) as e (name, rest);
insert into interlock.inventory_conflicts (product_id, operation, rebased, created_at)
select pg_temp.id('gone'), 'tap-' || e.name, false, pg_temp.ago(e.rest)
from (values ('a', interval '2 days'), ('b', '1 day'), ('young', '0')) as e (name, rest);
insert into interlock.picking_sessions (id, location_id, status, open_orders, ended_at)
values
  ('26000000-0000-4000-8000-0000000000f1', interlock.online_location(), 'completed', 0, now()),
  ('26000000-0000-4000-8000-0000000000f2', interlock.online_location(), 'picking', 1, null);
insert into interlock.packing_scans (picking_session_id, action, created_at)
select s.id, 'complete', pg_temp.ago(e.rest)
from (values
  ('26000000-0000-4000-8000-0000000000f1'::uuid, interval '2 days'), ('26000000-0000-4000-8000-0000000000f1', '1 day'),
  ('26000000-0000-4000-8000-0000000000f1', '0'), ('26000000-0000-4000-8000-0000000000f2', '1 day')
) as e (id, rest)
join interlock.picking_sessions s on s.id = e.id;
insert into interlock.packing_conflicts (picking_session_id, product_id, created_at)
select pg_temp.id('gone'), pg_temp.id('gone'), pg_temp.ago(e.rest)
from (values (interval '2 days'), ('1 day'), ('0')) as e (rest);
insert into interlock.registers (id, location_id, name, currency)
values ('26000000-0000-4000-8000-0000000000e1', interlock.online_location(), 'tap26', 'EUR');
insert into interlock.parked_sales (location_id, register_id, name, lines, hold, status, ended_at)
select interlock.online_location(), '26000000-0000-4000-8000-0000000000e1', 'tap26 ' || p.name, '[]', false, p.status, p.ended_at
from (values
  ('a', 'sold', pg_temp.ago('2 days')), ('b', 'expired', pg_temp.ago('1 day')), ('c', 'discarded', pg_temp.ago('1 day')),
  ('young', 'discarded', pg_temp.ago('0')), ('waiting', 'parked', null), ('resumed', 'resumed', null)
) as p (name, status, ended_at);
insert into interlock.outbox (type, subject, payload, created_at)
select 'tap.happened', 'tap-' || e.name, '{}', pg_temp.ago(e.rest)
from (values ('a', interval '2 days'), ('b', '1 day'), ('young', '0')) as e (name, rest);

-- Ledgers that are closed up to the fourth movement; the fifth is old and open, the third young.
insert into interlock.stock_movements (product_id, delta, reason, created_at)
select pg_temp.id('gone'), m.delta, m.name, pg_temp.ago(m.rest)
from (values
  (5, 's1', interval '2 days'), (-1, 's2', '1 day'), (-1, 's3', '0'), (-1, 's4', '1 day'), (-2, 's5', '1 day')
) as m (delta, name, rest);
insert into interlock.stock_balances
select m.product_id, m.location_id, m.id, 2 from interlock.stock_movements m where m.product_id = pg_temp.id('gone') and m.reason = 's4';
insert into interlock.wallet_movements (user_id, delta, balance_after, currency, reason, created_at)
select pg_temp.id('gone'), m.delta, 0, 'EUR', m.name, pg_temp.ago(m.rest)
from (values
  (5, 'w1', interval '2 days'), (-1, 'w2', '1 day'), (-1, 'w3', '0'), (-1, 'w4', '1 day'), (-2, 'w5', '1 day')
) as m (delta, name, rest);
insert into interlock.wallet_balances
select m.user_id, m.id, 2 from interlock.wallet_movements m where m.user_id = pg_temp.id('gone') and m.reason = 'w4';

insert into interlock.batches (id, status, completed_at)
values (pg_temp.id('available'), 'available', null), (pg_temp.id('completed'), 'completed', now());
insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', 'tap-' || n || '@example.com'
from unnest(array['ann', 'dan', 'eve']) n;
insert into interlock.drivers (user_id) values (pg_temp.id('dan')), (pg_temp.id('eve'));
insert into interlock.batches (id, status, driver_id, claimed_at, lease_expires_at, started_at)
values
  (pg_temp.id('claimed'), 'claimed', pg_temp.id('dan'), now(), now() + interval '1 hour', null),
  (pg_temp.id('in_progress'), 'in_progress', pg_temp.id('eve'), now(), now() + interval '1 hour', now());
insert into interlock.batch_events (batch_id, event, version, created_at, reason)
select pg_temp.id(b.name), 'created', 1, pg_temp.ago(b.rest), b.name
from (values
  ('completed', interval '1 day'), ('deleted', interval '1 day'), ('young', interval '0'), ('available', interval '1 day'),
  ('claimed', interval '1 day'), ('in_progress', interval '1 day')
) as b (name, rest);

insert into interlock.orders
  (id, user_id, status, fulfillment, currency, subtotal, total, payment_method, payment_expires_at, paid_at, fulfilled_at, cancelled_at, refunded_at)
select
  pg_temp.id('o ' || s.status), pg_temp.id('ann'), s.status, case s.status when 'fulfilled' then 'delivered' else 'unfulfilled' end, 'EUR', 1, 1,
  case s.status when 'confirmed' then 'cash_on_delivery' else 'bank_transfer' end,
  case when s.status = 'pending_payment' then now() + interval '1 day' end,
  case when s.status in ('paid', 'fulfilled', 'refunded') then now() end,
  case when s.status = 'fulfilled' then now() end,
  case when s.status in ('cancelled', 'expired') then now() end,
  case when s.status = 'refunded' then now() end
from unnest(array['pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded']) as s (status);
insert into interlock.order_events (order_id, event, created_at, actor)
select o.id, o.status, pg_temp.ago('1 day'), pg_temp.id('old')
from interlock.orders o
where o.user_id = pg_temp.id('ann')
union all
select pg_temp.id('o expired'), 'expired', pg_temp.ago('0'), pg_temp.id('old');
insert into interlock.payment_proofs (order_id, object_path, status, decided_at)
values
  (pg_temp.id('o pending_payment'), 'tap open', 'rejected', pg_temp.ago('1 day')),
  (pg_temp.id('o pending_payment'), 'tap waiting', 'submitted', null),
  (pg_temp.id('o paid'), 'tap paid', 'accepted', pg_temp.ago('1 day')),
  (pg_temp.id('o expired'), 'tap closed', 'closed', pg_temp.ago('1 day')),
  (pg_temp.id('o expired'), 'tap young', 'closed', pg_temp.ago('0'));

create temporary view nothing as
select jsonb_object_agg(t, 0) as nothing
from unnest(array[
  'promo_attempts', 'promo_redemptions', 'promo_user_uses', 'batch_events', 'order_events', 'stock_movements',
  'wallet_movements', 'payment_proofs', 'payment_events', 'inventory_conflicts', 'deliveries', 'events', 'packing_conflicts', 'packing_scans',
  'parked_sales'
]) t;

create temporary view left_of as
select 'promo_attempts' as what, n.name
from unnest(array['a1', 'a2', 'a3']) as n (name)
join interlock.promo_attempts a on a.user_id = pg_temp.id(n.name)
union all
select 'promo_redemptions', n.name
from unnest(array[
  'r released', 'r expired', 'r young', 'r held', 'r redeemed', 'r returned', 'r returned young'
]) as n (name)
join interlock.promo_redemptions r on r.id = pg_temp.id(n.name)
union all
select 'batch_events', e.reason from interlock.batch_events e where e.created_at <= pg_temp.ago('0')
union all
select 'order_events', e.event || case when e.created_at = pg_temp.ago('0') then ' young' else '' end
from interlock.order_events e where e.actor = pg_temp.id('old')
union all
select 'payment_proofs', f.object_path from interlock.payment_proofs f where f.object_path like 'tap %'
union all
select 'promo_user_uses', n.name
from unnest(array['u over', 'u bought', 'u young', 'u used']) as n (name)
join interlock.promo_user_uses u on u.promo_id = pg_temp.id(n.name)
union all
select 'stock_movements', m.reason from interlock.stock_movements m where m.product_id = pg_temp.id('gone')
union all
select 'wallet_movements', m.reason from interlock.wallet_movements m where m.user_id = pg_temp.id('gone')
union all
select 'payment_events', e.event_id from interlock.payment_events e where e.event_id like 'evt_tap_%'
union all
select 'inventory_conflicts', c.operation from interlock.inventory_conflicts c where c.product_id = pg_temp.id('gone')
union all
select 'events', e.subject from interlock.events e where e.type = 'tap.happened'
union all
select 'packing_conflicts', case when c.created_at = pg_temp.ago('0') then 'young' else 'old' end
from interlock.packing_conflicts c where c.product_id = pg_temp.id('gone')
union all
select 'packing_scans', s.status || case when c.created_at = pg_temp.ago('0') then ' young' else '' end
from interlock.packing_scans c join interlock.picking_sessions s on s.id = c.picking_session_id
where s.id::text like '26000000-%'
union all
select 'parked_sales', p.name from interlock.parked_sales p where p.name like 'tap26 %';

-- Nobody else deletes it ----------------------------------------------------------

select throws_ok(
  format('delete from interlock.%I', t.name), '23001', format('interlock.%I is append-only: delete refused', t.name),
  format('nobody deletes from %s', t.name)
)
from (values ('batch_events'), ('order_events')) as t (name);
select set_config('interlock.purging', 'order_events', true);
set local role service_role;
select throws_ok('delete from interlock.order_events', '42501', null, 'the shop has no right to, whatever it sets');
reset role;
select throws_ok(
  'delete from interlock.batch_events', '23001', null, 'and what is being purged is one table'
);
select throws_ok(
  $$update interlock.order_events set created_at = now()$$, '23001', null, 'whose rows nobody changes'
);
select throws_ok('truncate interlock.order_events', '23001', null, 'nor removes all at once');
select set_config('interlock.purging', '', true);

-- What goes ---------------------------------------------------------------------

select is((select count(*) from left_of), 65::bigint, 'of everything there is something');

update interlock.settings
set keep_promo_attempts = null, keep_promo_holds = null, keep_batch_events = null, keep_order_events = null,
  keep_payment_proofs = null, keep_stock_movements = null, keep_wallet_movements = null, keep_payment_events = null, keep_inventory_conflicts = null, keep_events = null, keep_deliveries = null, keep_packing_scans = null, keep_parked_sales = null;
select is(
  interlock.purge_history(),
  (select n.nothing from nothing n),
  'null means for ever'
);
update interlock.settings
set keep_promo_attempts = '50 years', keep_promo_holds = '50 years', keep_batch_events = '50 years',
  keep_order_events = '50 years', keep_payment_proofs = '50 years', keep_stock_movements = '50 years',
  keep_wallet_movements = '50 years', keep_payment_events = '50 years', keep_inventory_conflicts = '50 years', keep_events = '50 years', keep_deliveries = '50 years', keep_packing_scans = '50 years', keep_parked_sales = '50 years', promo_hold_limit = '1 hour';

select is(
  interlock.purge_history(n.rows),
  (select n.nothing from nothing n),
  coalesce(n.rows, -1) || ' rows are none'
)
from (values (0), (-1)) as n (rows);

set local role service_role;
select is(
  public.purge_history(1),
  '{
    "success": true,
    "purged": {
      "promo_attempts": 1, "promo_redemptions": 1, "promo_user_uses": 1, "deliveries": 0, "batch_events": 1, "order_events": 1,
      "stock_movements": 1, "wallet_movements": 1, "payment_proofs": 1, "payment_events": 1, "inventory_conflicts": 1, "events": 1,
      "packing_conflicts": 1, "packing_scans": 1, "parked_sales": 1
    }
  }',
  'the shop removes as many rows of each as it says'
);
select is(
  public.purge_history(null) -> 'purged',
  '{
    "promo_attempts": 1, "promo_redemptions": 2, "promo_user_uses": 1, "deliveries": 0, "batch_events": 1, "order_events": 3,
    "stock_movements": 2, "wallet_movements": 2, "payment_proofs": 1, "payment_events": 1, "inventory_conflicts": 1, "events": 1,
      "packing_conflicts": 1, "packing_scans": 1, "parked_sales": 2
  }',
  'or what is left of 1000'
);
reset role;
select is(
  interlock.purge_history(),
  (select n.nothing from nothing n),
  'once'
);
select is(
  (select array_agg(l.name order by l.name collate "C") from left_of l where l.what = e.what), e.names, 'what stays of ' || e.what
)
from (values
  ('promo_attempts', array['a3']),
  ('promo_redemptions', array['r held', 'r redeemed', 'r returned young', 'r young']),
  ('batch_events', array['available', 'claimed', 'in_progress', 'young']),
  ('order_events', array['confirmed', 'expired young', 'paid', 'pending_payment']),
  ('payment_proofs', array['tap open', 'tap waiting', 'tap young']),
  ('promo_user_uses', array['u used', 'u young']),
  ('stock_movements', array['s3', 's5']),
  ('wallet_movements', array['w3', 'w5']),
  ('payment_events', array['evt_tap_young']),
  ('inventory_conflicts', array['tap-young']),
  ('events', array['tap-young']),
  ('packing_conflicts', array['young']),
  ('packing_scans', array['completed young', 'picking']),
  ('parked_sales', array['tap26 resumed', 'tap26 waiting', 'tap26 young'])
) as e (what, names);

select throws_ok(
  'delete from interlock.' || case t.name when 'events' then 'outbox' else t.name end, '23001', null, 'then nobody deletes again from ' || t.name
)
from (values ('batch_events'), ('order_events'), ('stock_movements'), ('wallet_movements'), ('inventory_conflicts'), ('events'), ('packing_conflicts'), ('packing_scans')) as t (name);

-- The books agree with what is left of them, and without a row.
select is_empty(
  $$
    select product_id from interlock.stock_differences where product_id = pg_temp.id('gone')
    union all
    select user_id from interlock.wallet_differences where user_id = pg_temp.id('gone')
  $$,
  'closed movements that are gone are in the books'
);
update interlock.settings set keep_stock_movements = '1 day', keep_wallet_movements = '1 day';
update interlock.stock_balances b
set quantity = 0, closed_through = (select max(m.id) from interlock.stock_movements m)
where b.product_id = pg_temp.id('gone');
update interlock.wallet_balances b
set balance = 0, closed_through = (select max(m.id) from interlock.wallet_movements m)
where b.user_id = pg_temp.id('gone');
select is(
  array[r -> 'stock_movements', r -> 'wallet_movements'], array['2', '2']::jsonb[], 'also if all of them are'
)
from interlock.purge_history(100000) r;
update interlock.stock_balances b set quantity = 7 where b.product_id = pg_temp.id('gone');
update interlock.wallet_balances b set balance = 7 where b.user_id = pg_temp.id('gone');
select results_eq(
  $$
    select ledger_quantity::int from interlock.stock_differences where product_id = pg_temp.id('gone')
    union all
    select ledger_balance::int from interlock.wallet_differences where user_id = pg_temp.id('gone')
  $$,
  $$values (7), (7)$$,
  'a balance that nothing is left of is read'
);

-- 1000 is what it does unless told otherwise.
insert into interlock.promo_attempts
select md5('26-retention many ' || n)::uuid, array[pg_temp.ago('1 day')] from generate_series(1, 1001) n;
select is(interlock.purge_history() -> 'promo_attempts', '1000', '1000 at most');
insert into interlock.promo_attempts
select md5('26-retention more ' || n)::uuid, array[pg_temp.ago('1 day')] from generate_series(1, 1001) n;
select is(interlock.purge_history(null) -> 'promo_attempts', '1000', 'also if one says nothing');

select * from finish();
rollback;
