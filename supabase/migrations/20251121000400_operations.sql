-- What there is to watch: queues and what in them is overdue, and the shop's state as metrics.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- What is answered as text and not as JSON: PostgREST and its kin take the name of a function's type for the media type.
create domain interlock."text/plain" as text
  constraint text_plain_not_empty check (value <> '');

-- What public.metrics does, with its owner's rights: the shop's state in numbers, as OpenMetrics text. It looks at indexes of what is open,
-- at sequences, at small tables and at what Postgres counts by itself; of all that grows it reads only the catalogue.
--
-- Counters are the last values of sequences: they never fall, nobody waits for them, and what was undone is counted, too.
--
-- Callers: authenticated (whose token says app_metadata.role metrics, or staff) and service_role, through public.metrics.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN.
-- Security definer: who may read these numbers may read no row of what they are about.
create function interlock.metrics()
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_now constant timestamptz := interlock.clock();
  v_text text;
begin
  if auth.jwt() -> 'app_metadata' ->> 'role' is distinct from 'metrics' then
    perform interlock.refuse_unless_shop();
  end if;

  with family (name, type, help) as (
    values
      ('queue_waiting', 'gauge', 'Things that wait to be dealt with.'),
      ('queue_overdue', 'gauge', 'Things that wait for longer than they should.'),
      ('queue_oldest_seconds', 'gauge', 'For how long the oldest thing could have been dealt with.'),
      ('products', 'gauge', 'Active products, by whether there is anything to sell.'),
      ('slots', 'gauge', 'Slots of hot products and promo codes.'),
      ('slot_units', 'gauge', 'Units in slots: granted, and used but not settled yet.'),
      ('audit_findings', 'gauge', 'Findings of audits that nobody has decided on.'),
      ('audit_age_seconds', 'gauge', 'Time since the latest audit of the stock.'),
      ('webhook_endpoints', 'gauge', 'Endpoints that get events.'),
      ('inventory_conflicts', 'counter', 'Changes of stock that somebody else was faster than.'),
      ('packing_conflicts', 'counter', 'Changes of packed units that somebody else was faster than.'),
      ('stock_movements', 'counter', 'Movements of stock.'),
      ('events', 'counter', 'Events, to be told outside or not.'),
      ('delivery_attempts', 'counter', 'Attempts to deliver events.'),
      ('database_transactions', 'counter', 'Transactions of the database.'),
      ('database_deadlocks', 'counter', 'Deadlocks in the database.'),
      ('database_lock_waits', 'gauge', 'Sessions that wait for a lock.'),
      ('database_oldest_transaction_seconds', 'gauge', 'Age of the oldest transaction.'),
      ('database_size_bytes', 'gauge', 'Size of the database.'),
      ('table_dead_rows', 'gauge', 'Rows of a hot table that are to be vacuumed.')
  ),
  queues as materialized (
    select q.* from interlock.queues q
  ),
  catalogue as materialized (
    select
      count(*) filter (where p.stock_policy = 'tracked' and p.available_quantity = 0) as empty,
      count(*) filter (where p.stock_policy <> 'tracked' or p.available_quantity > 0) as filled,
      count(*) filter (where p.backordered > 0) as owed
    from interlock.products p
    where p.active
  ),
  slots as materialized (
    select count(*) as slots, coalesce(sum(s.granted), 0) as granted, coalesce(sum(s.used), 0) as used
    from interlock.counter_slots s
  ),
  endpoints as materialized (
    select
      count(*) filter (where w.active and w.failing_since is null) as active,
      count(*) filter (where w.active and w.failing_since is not null) as failing,
      count(*) filter (where w.disabled_at is not null) as disabled
    from interlock.webhook_endpoints w
  ),
  sessions as materialized (
    select
      count(*) filter (where a.wait_event_type = 'Lock') as waiting,
      coalesce(extract(epoch from max(clock_timestamp() - a.xact_start)), 0) as oldest
    from pg_stat_activity a
    where a.datname = current_database()
      and a.backend_type = 'client backend'
  ),
  sample (family, suffix, labels, value) as (
    select 'queue_waiting', '', format('{queue="%s"}', q.queue), q.waiting::numeric from queues q
    union all
    select 'queue_overdue', '', format('{queue="%s"}', q.queue), q.overdue from queues q
    union all
    select
      'queue_oldest_seconds', '', format('{queue="%s"}', q.queue),
      greatest(coalesce(extract(epoch from v_now - q.since), 0), 0)
    from queues q
    union all
    select 'products', '', v.labels, v.value
    from catalogue c
    cross join lateral (values
      ('{stock="empty"}', c.empty), ('{stock="there"}', c.filled), ('{stock="owed"}', c.owed)
    ) v (labels, value)
    union all
    select 'slots', '', '', s.slots from slots s
    union all
    select 'slot_units', '', v.labels, v.value
    from slots s
    cross join lateral (values ('{state="granted"}', s.granted), ('{state="used"}', s.used)) v (labels, value)
    union all
    select 'audit_findings', '', format('{kind="%s"}', f.kind), count(*)
    from interlock.inventory_findings f
    where f.status = 'open'
    group by f.kind
    union all
    select 'audit_age_seconds', '', '', greatest(extract(epoch from v_now - a.started_at), 0)
    from (select a.started_at from interlock.inventory_audits a order by a.id desc limit 1) a
    union all
    select 'webhook_endpoints', '', v.labels, v.value
    from endpoints e
    cross join lateral (values
      ('{state="active"}', e.active), ('{state="failing"}', e.failing), ('{state="disabled"}', e.disabled)
    ) v (labels, value)
    union all
    select v.family, '_total', '', coalesce(pg_sequence_last_value(v.sequence::regclass), 0)
    from (values
      ('inventory_conflicts', pg_get_serial_sequence('interlock.inventory_conflicts', 'id')),
      ('packing_conflicts', pg_get_serial_sequence('interlock.packing_conflicts', 'id')),
      ('stock_movements', pg_get_serial_sequence('interlock.stock_movements', 'id')),
      ('events', 'interlock.event_position'),
      ('delivery_attempts', pg_get_serial_sequence('interlock.delivery_attempts', 'id'))
    ) v (family, sequence)
    union all
    select v.family, '_total', v.labels, v.value
    from pg_stat_database d
    cross join lateral (values
      ('database_transactions', '{outcome="committed"}', d.xact_commit),
      ('database_transactions', '{outcome="rolled_back"}', d.xact_rollback),
      ('database_deadlocks', '', d.deadlocks)
    ) v (family, labels, value)
    where d.datname = current_database()
    union all
    select 'database_lock_waits', '', '', s.waiting from sessions s
    union all
    select 'database_oldest_transaction_seconds', '', '', s.oldest from sessions s
    union all
    select 'database_size_bytes', '', '', pg_database_size(current_database())
    union all
    select 'table_dead_rows', '', format('{table="%s"}', t.relname), t.n_dead_tup
    from pg_stat_all_tables t
    where t.schemaname = 'interlock'
      and t.relname in ('products', 'inventory', 'counter_slots', 'orders', 'batches', 'promo_codes', 'wallets', 'deliveries')
  )
  select string_agg(f.block, '' order by f.name) || E'# EOF\n'
  into v_text
  from (
    select
      f.name,
      format(E'# TYPE interlock_%s %s\n', f.name, f.type)
        || coalesce(E'# UNIT interlock_' || f.name || ' ' || substring(f.name from '_(seconds|bytes)$') || E'\n', '')
        || format(E'# HELP interlock_%s %s\n', f.name, f.help)
        || string_agg(format(E'interlock_%s%s%s %s\n', f.name, s.suffix, s.labels, s.value), '' order by s.labels) as block
    from family f
    join sample s on s.family = f.name
    group by f.name, f.type, f.help
  ) f;
  return v_text;
end
$$;

-- What waits to be dealt with, one row for each queue, and what of it has waited for too long. The one list: the jobs of
-- interlock.jobs, public.metrics and `npm run doctor` read it. Each queue is an index of what is open, and no history.
--
--   patience  for how long a thing that could be dealt with may be left
--   waiting   how many things there are; of events no more than 10,000 are counted
--   overdue   how many were left for longer
--   since     since when the oldest can be dealt with; of what is not due yet a time to come
--   first     the id of the oldest that is overdue
create view interlock.queues
with (security_invoker = true)
as
  select
    q.queue,
    q.patience,
    count(i.id) as waiting,
    count(i.id) filter (where i.since < interlock.clock() - q.patience) as overdue,
    min(i.since) as since,
    (array_agg(i.id order by i.since) filter (where i.since < interlock.clock() - q.patience))[1] as first
  from (values
    ('orders', interval '10 minutes'),
    ('promo_holds', '10 minutes'),
    ('cart_reservations', '10 minutes'),
    ('parked_sales', '10 minutes'),
    ('points', '10 minutes'),
    ('events', '10 minutes'),
    ('deliveries', '10 minutes'),
    ('dead_deliveries', '0'),
    ('payment_proofs', '5 days'),
    ('refunds', '1 day'),
    ('flagged_payments', '1 day'),
    ('lapsed_leases', '1 hour')
  ) as q (queue, patience)
  left join (
    select 'orders' as queue, o.id::text as id, o.payment_expires_at as since
    from interlock.orders o
    where o.status in ('pending_payment', 'confirmed')
      and o.payment_expires_at is not null
      and o.fulfillment = 'unfulfilled'
    union all
    select 'promo_holds', r.promo_id::text, r.held_until
    from interlock.promo_redemptions r
    where r.status = 'held'
    union all
    select 'cart_reservations', r.user_id::text, r.expires_at
    from interlock.cart_reservations r
    where r.expires_at is not null
    union all
    select 'parked_sales', p.id::text, p.expires_at
    from interlock.parked_sales p
    where p.ended_at is null
    union all
    select 'points', d.order_id::text, d.created_at
    from interlock.points_due d
    union all
    select 'events', e.position::text, e.created_at
    from (
      select e.position, e.created_at
      from interlock.events e
      where e.transaction >= (select pg_snapshot_xmin(c.seen) from interlock.delivery_cursor c)
        and not pg_visible_in_snapshot(e.transaction, (select c.seen from interlock.delivery_cursor c))
        and exists (select from interlock.webhook_endpoints w where w.active)
      limit 10000
    ) e
    union all
    select 'deliveries', d.id::text, d.next_attempt_at
    from interlock.deliveries d
    join interlock.webhook_endpoints w on w.id = d.endpoint_id and w.active
    where d.state = 'pending'
    union all
    select 'dead_deliveries', d.id::text, d.ended_at
    from interlock.deliveries d
    where d.state = 'dead'
    union all
    select 'payment_proofs', p.order_id::text, p.created_at
    from interlock.payment_proofs p
    where p.status = 'submitted'
    union all
    select 'refunds', p.id::text, p.succeeded_at
    from interlock.payments p
    where p.status = 'refund_due'
    union all
    select 'flagged_payments', p.id::text, p.succeeded_at
    from interlock.payments p
    where p.status = 'flagged'
    union all
    select 'lapsed_leases', b.id::text, b.lease_expires_at
    from interlock.batches b
    where b.status in ('claimed', 'in_progress')
      and b.lease_expires_at < interlock.clock()
  ) as i on i.queue = q.queue
  group by q.queue, q.patience;

comment on view interlock.queues is
  'What waits to be dealt with, by queue, and what of it has waited for too long.';

create function public.metrics()
returns interlock."text/plain"
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.metrics()
$$;

comment on function public.metrics() is
  'The shop''s state in numbers, as OpenMetrics text. For tokens whose app_metadata.role is metrics, staff and the service role.';

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.metrics is
  'What public.metrics does, with its owner''s rights: the shop''s state in numbers, as OpenMetrics text.';

-- Who may call what of operations. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function public.metrics() from public, anon, authenticated, service_role;

grant execute on function
  -- By token: metrics or staff; anybody else is refused.
  public.metrics(), interlock.metrics
to authenticated, service_role;
