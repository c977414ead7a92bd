-- Metrics: what is overdue and since when, that each number moves with what it counts, how they are written, who may ask.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, aud, role, email)
values ('84000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-84@example.com');

-- What they say, sample by sample.
create function pg_temp.samples()
returns table (sample text, value numeric)
language sql
as $$
  select m[1], m[2]::numeric
  from regexp_matches(public.metrics(), '^(interlock_[^ ]+) ([^ ]+)$', 'gn') m
$$;
create function pg_temp.metric(p_sample text)
returns numeric
language sql
as $$
  select s.value from pg_temp.samples() s where s.sample = 'interlock_' || p_sample
$$;
create temporary table before as select * from pg_temp.samples();
create function pg_temp.change(p_sample text)
returns numeric
language sql
as $$
  select pg_temp.metric(p_sample) - coalesce((select b.value from before b where b.sample = 'interlock_' || p_sample), 0)
$$;

-- How they are written -----------------------------------------------------------

select is_empty(
  $$
    select line
    from regexp_split_to_table(public.metrics(), E'\n') line
    where line !~ '^(# (TYPE interlock_[a-z_]+ (gauge|counter)|UNIT interlock_[a-z_]+ [a-z]+|HELP interlock_[a-z_]+ [^\\]+|EOF)|interlock_[a-z_]+([{][a-z]+="[a-z_]+"[}])? [0-9.]+|)$'
  $$,
  'each line is of the format'
);
select matches(public.metrics(), E'^# TYPE .*\n# EOF\n$', 'the end is told');
select is_empty(
  $$select s.sample from pg_temp.samples() s group by s.sample having count(*) > 1$$, 'no sample comes twice'
);
select is_empty(
  $$
    select t.m[1]
    from regexp_matches(public.metrics(), '^# TYPE (\S+) counter$', 'gn') as t (m)
    where not exists (
      select from pg_temp.samples() s where regexp_replace(s.sample, '[{].*', '') = t.m[1] || '_total'
    )
  $$,
  'a counter is a total'
);
select is_empty(
  $$
    select s.sample
    from pg_temp.samples() s
    where s.sample ~ '_(seconds|bytes)([{]|$)'
      and public.metrics() not like
        '%# UNIT ' || regexp_replace(s.sample, '[{].*', '') || ' ' || substring(s.sample from '_(seconds|bytes)') || E'\n%'
  $$,
  'a unit is told'
);
select set_eq(
  $$select substring(s.sample from 'queue="(.*)"') from pg_temp.samples() s where s.sample like 'interlock_queue_overdue{%'$$,
  'select q.queue from interlock.queues q',
  'every queue is there, also an empty one'
);

-- What waits, and for too long -----------------------------------------------------

insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
select
  ('84000000-0000-4000-8000-00000000010' || n)::uuid, '84000000-0000-4000-8000-000000000001', 'pending_payment', 'EUR', 1, 1,
  'bank_transfer', now() - (n - 2) * interval '1 year'
from generate_series(1, 3) n;
insert into interlock.promo_codes (id, code, discount_type, discount_value)
values ('84000000-0000-4000-8000-000000000201', 'TAP84', 'percentage', 10);
select interlock.take_promo_use(
  '84000000-0000-4000-8000-000000000201', '84000000-0000-4000-8000-000000000001', null, null, 1, 'EUR', now() - interval '1 year'
);
insert into interlock.cart_reservations (user_id, id, reserved_since, expires_at)
values ('84000000-0000-4000-8000-000000000001', '84000000-0000-4000-8000-000000000301', now(), now() - interval '1 year');
insert into interlock.locations (id, name) values ('84000000-0000-4000-8000-000000000401', 'tap 84');
insert into interlock.registers (id, location_id, name, currency)
values ('84000000-0000-4000-8000-000000000402', '84000000-0000-4000-8000-000000000401', 'tap 84', 'EUR');
insert into interlock.parked_sales (location_id, register_id, name, lines, hold, expires_at)
values (
  '84000000-0000-4000-8000-000000000401', '84000000-0000-4000-8000-000000000402', 'tap 84', '[]', false, now() - interval '1 year'
);
insert into interlock.points_due (order_id, user_id, created_at)
values ('84000000-0000-4000-8000-000000000101', '84000000-0000-4000-8000-000000000001', now() - interval '1 year');
insert into interlock.payment_proofs (order_id, object_path, created_at)
values ('84000000-0000-4000-8000-000000000101', 'tap/84', now() - interval '1 year');
insert into interlock.payments (order_id, provider, provider_id, attempt, amount, currency, status, flag, succeeded_at)
select
  '84000000-0000-4000-8000-000000000101', 'stripe', 'pi_tap84' || v.status, v.attempt, 1, 'EUR', v.status, v.flag, now() - interval '1 year'
from (values ('refund_due', null, 1), ('flagged', 'wrong_amount', 2)) v (status, flag, attempt);
insert into interlock.drivers (user_id) values ('84000000-0000-4000-8000-000000000001');
insert into interlock.batches (status, driver_id, claimed_at, lease_expires_at)
values ('claimed', '84000000-0000-4000-8000-000000000001', now() - interval '2 years', now() - interval '1 year');
insert into interlock.webhook_endpoints (id, url, disabled_at, active, failing_since)
values
  ('84000000-0000-4000-8000-000000000501', 'https://a.example.com/', null, true, null),
  ('84000000-0000-4000-8000-000000000502', 'https://b.example.com/', now(), false, now()),
  ('84000000-0000-4000-8000-000000000503', 'https://c.example.com/', null, true, now());
insert into interlock.deliveries (position, transaction, endpoint_id, subject, state, next_attempt_at, ended_at)
select
  -84, pg_current_xact_id(), ('84000000-0000-4000-8000-00000000050' || v.n)::uuid, 'tap 84', v.state, now() - interval '1 year', v.ended_at
from (values (1, 'pending', null), (2, 'pending', null), (3, 'dead', now() - interval '1 year')) v (n, state, ended_at);
insert into interlock.outbox (type, subject, payload, created_at) values ('webhook.test', 'tap 84', '{}', now() - interval '1 year');

select is(pg_temp.change('queue_waiting{queue="orders"}'), 3::numeric, 'orders that wait for payment');
select is(pg_temp.change(format('queue_overdue{queue="%s"}', q.queue)), 1::numeric, 'overdue: ' || q.queue)
from interlock.queues q where q.queue <> 'events' order by 1;
select ok(pg_temp.change('queue_overdue{queue="events"}') >= 1, 'overdue: events');
select is(
  pg_temp.metric(format('queue_oldest_seconds{queue="%s"}', q.queue)), extract(epoch from now() - (now() - interval '1 year')),
  'since when: ' || q.queue
)
from interlock.queues q order by 1;
select is(
  (select q.first from interlock.queues q where q.queue = 'orders'), '84000000-0000-4000-8000-000000000103', 'the first is named'
);
update interlock.orders set payment_expires_at = now() + interval '1 day' where id = '84000000-0000-4000-8000-000000000103';
update interlock.payment_proofs set status = 'rejected', decided_at = now() where object_path = 'tap/84';
select is(pg_temp.change('queue_overdue{queue="orders"}'), 0::numeric, 'what may wait is not overdue');
select is(pg_temp.change('queue_waiting{queue="payment_proofs"}'), 0::numeric, 'nor is a proof that is decided');
select is(pg_temp.change('webhook_endpoints{state="active"}'), 1::numeric, 'endpoints');
select is(pg_temp.change('webhook_endpoints{state="failing"}'), 1::numeric, 'that fail');
select is(pg_temp.change('webhook_endpoints{state="disabled"}'), 1::numeric, 'or were switched off');
update interlock.webhook_endpoints set active = false;
select is(pg_temp.metric('queue_waiting{queue="events"}'), 0::numeric, 'nothing is to be told where nobody listens');

-- Everything else ----------------------------------------------------------------

insert into interlock.products (id, name, price, currency, available_quantity, stock_policy, backorder_limit, active)
values
  ('84000000-0000-4000-8000-000000000601', 'tap hot', 1, 'EUR', 1000, 'tracked', 0, true),
  ('84000000-0000-4000-8000-000000000602', 'tap none', 1, 'EUR', 0, 'tracked', 0, true),
  ('84000000-0000-4000-8000-000000000603', 'tap any', 1, 'EUR', 0, 'untracked', 0, true),
  ('84000000-0000-4000-8000-000000000604', 'tap gone', 1, 'EUR', 0, 'tracked', 0, false);
select is(pg_temp.change('products{stock="there"}'), 2::numeric, 'products that can be sold');
select is(pg_temp.change('products{stock="empty"}'), 1::numeric, 'and cannot');
select cmp_ok(pg_temp.change('stock_movements_total'), '>=', 1::numeric, 'movements');
select interlock.set_stock_slots('84000000-0000-4000-8000-000000000601', 4);
select interlock.use_slot('84000000-0000-4000-8000-000000000601', 3, true);
select is(pg_temp.change('slots'), 4::numeric, 'slots');
select is(pg_temp.change('slot_units{state="used"}'), 3::numeric, 'what was used of them');
select cmp_ok(pg_temp.change('slot_units{state="granted"}'), '>', 3::numeric, 'and may be');

insert into interlock.inventory_conflicts (product_id, operation, rebased)
values ('84000000-0000-4000-8000-000000000601', 'set', false), ('84000000-0000-4000-8000-000000000601', 'set', true);
insert into interlock.packing_conflicts (picking_session_id, product_id)
values ('84000000-0000-4000-8000-000000000601', '84000000-0000-4000-8000-000000000601');
insert into interlock.delivery_attempts (delivery_id, status, duration_ms)
select d.id, 200, 1 from interlock.deliveries d where d.position = -84;
select is(pg_temp.change('inventory_conflicts_total'), 2::numeric, 'conflicts about stock');
select is(pg_temp.change('packing_conflicts_total'), 1::numeric, 'about packing');
select is(pg_temp.change('delivery_attempts_total'), 3::numeric, 'attempts to deliver');
select cmp_ok(pg_temp.change('events_total'), '>=', 1::numeric, 'events');

-- An order took nothing from the stock that it has.
insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
values ('84000000-0000-4000-8000-000000000103', '84000000-0000-4000-8000-000000000602', 1, 1, 'tap none', 'physical');
select interlock.audit_inventory(true);
select cmp_ok(
  (select sum(s.value) from pg_temp.samples() s where s.sample like 'interlock_audit_findings{%'), '>=', 1::numeric, 'findings'
);
select is(pg_temp.metric('audit_age_seconds'), 0::numeric, 'and when it was looked');
select ok(pg_temp.metric('database_size_bytes') > 1000000, 'the size of the database');
select ok(pg_temp.metric('database_transactions_total{outcome="committed"}') >= 0, 'its transactions');
select ok(pg_temp.metric('database_deadlocks_total') >= 0, 'its deadlocks');
select ok(pg_temp.metric('database_lock_waits') >= 0, 'who waits');
select ok(pg_temp.metric('database_oldest_transaction_seconds') > 0, 'the oldest transaction, as this one');
select ok(pg_temp.metric('table_dead_rows{table="products"}') >= 0, 'what is to be vacuumed');
-- `prove --only scale` has one.
select is(
  pg_temp.metric('replicas'),
  (select count(*) from pg_stat_replication r join pg_stat_activity a using (pid) where a.datid is null)::numeric,
  'the replicas'
);
select is(
  (select count(*) from pg_temp.samples() s where s.sample ~ '^interlock_replica_lag_(bytes|seconds)[{]replica="'),
  (select 2 * count(distinct r.application_name) from pg_stat_replication r join pg_stat_activity a using (pid) where a.datid is null),
  'and how far behind each of them is'
);

-- Who may ask ----------------------------------------------------------------------

create function pg_temp.asked(p_claims jsonb)
returns text
language plpgsql
as $$
declare
  v_answer text;
begin
  perform set_config('request.jwt.claims', p_claims::text, true);
  execute format('set local role %I', p_claims ->> 'role');
  v_answer := left(public.metrics(), 6);
  reset role;
  return v_answer;
exception
  when others then
    return sqlerrm;
end
$$;
select is(pg_temp.asked('{"role": "authenticated", "app_metadata": {"role": "metrics"}}'), '# TYPE', 'a token for metrics, of nobody');
select is(pg_temp.asked('{"role": "service_role"}'), '# TYPE', 'the shop');
select is(
  pg_temp.asked('{"role": "authenticated", "sub": "84000000-0000-4000-8000-000000000001", "app_metadata": {"role": "staff"}}'),
  '# TYPE', 'staff'
);
select is(
  pg_temp.asked('{"role": "authenticated", "sub": "84000000-0000-4000-8000-000000000001"}'), 'FORBIDDEN', 'no other user'
);
select is(
  pg_temp.asked('{"role": "authenticated", "sub": "84000000-0000-4000-8000-000000000001", "user_metadata": {"role": "metrics"}}'),
  'FORBIDDEN', 'whatever they say of themselves'
);
select is(pg_temp.asked('{"role": "authenticated"}'), 'UNAUTHENTICATED', 'nor nobody');
select is(pg_temp.asked('{"role": "anon"}'), 'permission denied for function metrics', 'nor without a token');
select is(
  pg_temp.asked('{"role": "anon", "app_metadata": {"role": "metrics"}}'), 'permission denied for function metrics', 'of a role'
);
set local role authenticated;
select set_config('request.jwt.claims', '{"role": "authenticated", "app_metadata": {"role": "metrics"}}', true);
select throws_ok('select * from interlock.queues', '42501', null, 'who may read the numbers reads no queue');
select is((select count(*) from public.orders), 0::bigint, 'and no order');
reset role;

select * from finish();
rollback;
