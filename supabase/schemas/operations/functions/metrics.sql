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
      ('replicas', 'gauge', 'Replicas that follow the database.'),
      ('replica_lag_bytes', 'gauge', 'Log of the database that a replica has not replayed.'),
      ('replica_lag_seconds', 'gauge', 'How long it took until a replica had replayed what was written.'),
      ('table_dead_rows', 'gauge', 'Rows of a hot table that are to be vacuumed.')
  ),
  -- Not the first of each, for which all of them would be sorted.
  queues as materialized (
    select q.queue, q.waiting, q.overdue, q.since from interlock.queues q
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
    select d.* from interlock.database_sessions() d
  ),
  replicas as materialized (
    select d.* from interlock.database_replicas() d
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
    select 'replicas', '', '', coalesce(sum(r.replicas), 0) from replicas r
    union all
    select v.family, '', format('{replica="%s"}', r.name), v.value
    from replicas r
    cross join lateral (values
      ('replica_lag_bytes', greatest(r.bytes, 0)),
      -- Not measured where nothing was written for a while, and then nothing is missing.
      ('replica_lag_seconds', coalesce(extract(epoch from r.lag), 0))
    ) v (family, value)
    where r.bytes is not null
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
