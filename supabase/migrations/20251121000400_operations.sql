-- What there is to watch: queues and what in them is overdue, and the shop's state as metrics.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- What is answered as text and not as JSON: PostgREST and its kin take the name of a function's type for the media type.
create domain interlock."text/plain" as text
  constraint text_plain_not_empty check (value <> '');

-- What public.browse_shop does, with its owner's rights: one page of a list, the latest first, for people who look after the shop.
--
--   p_list      p_state                                                   p_search finds
--   orders      a status, `proof` (waits for a decision), `money` (to     number, order, buyer, request id, e-mail address
--               be given back, or that pays nothing)
--   batches     a status, `lapsed`                                        batch, driver, a part of its reference
--   drivers     `active`, `inactive`                                      driver, a part of the e-mail address
--   stock       `empty`, `owed`                                           product, a part of its name or of its location's
--   promos      `active`, `inactive`, `used_up`                           code, a part of it
--   sessions    a status, `open`                                          session, order, a part of its code
--   findings    a status                                                  finding, product, subject, a part of its kind or product
--   deliveries  a state                                                   delivery, subject
--
-- Rows are asked for in the order of their ids, which is that of time, except stock (by product and location). The answer's
-- `next` is the p_after of the page that follows; null where nothing does.
--
-- Callers: authenticated (staff) and service_role, through public.browse_shop.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: staff read few of these rows otherwise.
create function interlock.browse_shop(p_list text, p_search text, p_state text, p_after text, p_limit int)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
-- Each filter that is not given falls out of the plan.
set plan_cache_mode = force_custom_plan
set timezone = 'UTC'
as $$
declare
  v_states constant jsonb := jsonb '{
    "orders": ["pending_payment", "confirmed", "paid", "fulfilled", "cancelled", "expired", "refunded", "proof", "money"],
    "batches": ["available", "claimed", "in_progress", "completed", "cancelled", "lapsed"],
    "drivers": ["active", "inactive"],
    "stock": ["empty", "owed"],
    "promos": ["active", "inactive", "used_up"],
    "sessions": ["picking", "packing", "completed", "abandoned", "open"],
    "findings": ["open", "accepted", "resolved"],
    "deliveries": ["pending", "delivered", "dead", "skipped"]
  }';
  v_problems jsonb := '[]'::jsonb;
  v_search constant text := nullif(btrim(p_search), '');
  v_like constant text := '%' || regexp_replace(v_search, '([\\%_])', '\\\1', 'g') || '%';
  v_id constant uuid := case when interlock.is_uuid(v_search) then v_search::uuid end;
  v_number constant bigint := case when v_search ~ '^#?[0-9]{1,15}$' then ltrim(v_search, '#')::bigint end;
  v_after uuid;
  v_before bigint;
  v_orders uuid[];
  v_rows jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_list is null or not v_states ? p_list then
    v_problems := v_problems || interlock.problem(
      '/p_list', 'must be orders, batches, drivers, stock, promos, sessions, findings or deliveries'
    );
  elsif not v_states -> p_list ? p_state then
    v_problems := v_problems || interlock.problem('/p_state', 'is no state of this list');
  elsif p_list = 'deliveries' and p_after !~ '^[0-9]{1,18}$'
    or p_list not in ('deliveries', 'stock') and not interlock.is_uuid(p_after)
    or p_list = 'stock' and p_after !~ '^[0-9]{1,9}$'
  then
    v_problems := v_problems || interlock.problem('/p_after', 'must be the next of the page before');
  end if;
  if char_length(p_search) > 200 then
    v_problems := v_problems || interlock.problem('/p_search', 'must have at most 200 characters');
  end if;
  if p_limit is null or p_limit not between 1 and 100 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 100');
  end if;
  perform interlock.refuse_problems(v_problems);
  if p_list in ('deliveries', 'stock') then
    v_before := p_after::bigint;
  else
    v_after := p_after::uuid;
  end if;

  -- One more than is shown says whether there is another page.
  case p_list
    when 'orders' then
      if v_search is not null then
        v_orders := array(
          select o.id from interlock.orders o where o.number = v_number or o.id = v_id
          union
          select e.order_id from interlock.order_events e where e.request_id = v_search
          union
          select p.order_id from interlock.payments p where p.provider_id = v_search and p.order_id is not null
          union
          select q.id
          from (
            select o.id
            from interlock.orders o
            where o.user_id in (
              select v_id where v_id is not null
              union
              select u.id from interlock.accounts u where strpos(v_search, '@') > 0 and lower(u.email) = lower(v_search)
            )
            union
            select d.order_id
            from interlock.order_details d
            where strpos(v_search, '@') > 0
              and lower(d.contact ->> 'email') = lower(v_search)
          ) q
        );
      end if;
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          o.id, o.number, o.status, o.fulfillment, o.total, o.refunded, o.currency, o.payment_method, o.created_at,
          o.payment_expires_at, o.proof_submitted_at
        from interlock.orders o
        where (v_after is null or o.id < v_after)
          and (v_search is null or o.id = any (v_orders))
          and case p_state
            when 'proof' then o.id in (select f.order_id from interlock.payment_proofs f where f.status = 'submitted')
            when 'money' then o.id in (select p.order_id from interlock.payments p where p.status in ('refund_due', 'flagged'))
            else p_state is null or o.status = p_state
          end
        order by o.id desc
        limit p_limit + 1
      ) r;

    when 'batches' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          b.id, b.reference, b.status, b.driver_id, b.lease_expires_at, b.priority, b.version, b.created_at,
          b.status in ('claimed', 'in_progress') and b.lease_expires_at < interlock.clock() as lapsed
        from interlock.batches b
        where (v_after is null or b.id < v_after)
          and (v_search is null or b.id = v_id or b.driver_id = v_id or b.reference ilike v_like)
          and case p_state
            when 'lapsed' then b.status in ('claimed', 'in_progress') and b.lease_expires_at < interlock.clock()
            else p_state is null or b.status = p_state
          end
        order by b.id desc
        limit p_limit + 1
      ) r;

    when 'drivers' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          d.user_id as id, u.email, d.active,
          (select b.id from interlock.batches b where b.driver_id = d.user_id and b.status in ('claimed', 'in_progress')) as batch_id
        from interlock.drivers d
        join interlock.accounts u on u.id = d.user_id
        where (v_after is null or d.user_id < v_after)
          and (v_search is null or d.user_id = v_id or u.email ilike v_like)
          and (p_state is null or d.active = (p_state = 'active'))
        order by d.user_id desc
        limit p_limit + 1
      ) r;

    when 'stock' then
      select jsonb_agg(to_jsonb(r) order by r.product, r.location, r.id)
      into v_rows
      from (
        select
          l.inventory_id as id, l.product_id, l.product, l.location_id, l.location, l.quantity, l.unit, l.version, p.stock_slots as slots,
          p.stock_policy as policy
        from interlock.inventory_levels l
        join interlock.products p on p.id = l.product_id
        where (
            v_search is null or l.product_id = v_id or l.location_id = v_id or l.inventory_id = v_id
            or l.product ilike v_like or l.location ilike v_like
          )
          and case p_state
            when 'empty' then p.stock_policy = 'tracked' and l.quantity = 0
            when 'owed' then l.quantity < 0
            else true
          end
        order by l.product, l.location, l.inventory_id
        offset coalesce(v_before, 0)
        limit p_limit + 1
      ) r;

    when 'promos' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          c.id, c.code, c.discount_type, c.discount_value, c.currency, c.used_count + coalesce(s.used, 0) as used, c.max_uses, c.use_slots as slots,
          c.active, c.starts_at, interlock.promo_end(c.expires_at, c.last_day, c.time_zone) as ends_at,
          (
            select count(*) from interlock.promo_redemptions r where r.promo_id = c.id and r.status = 'held'
          ) as held
        from interlock.promo_codes c
        left join lateral (
          select sum(q.used) as used from interlock.counter_slots q where q.owner_id = c.id
        ) s on c.use_slots > 0
        where (v_after is null or c.id < v_after)
          and (v_search is null or c.id = v_id or c.code ilike v_like)
          and case p_state
            when 'used_up' then c.used_count + coalesce(s.used, 0) >= c.max_uses
            else p_state is null or c.active = (p_state = 'active')
          end
        order by c.id desc
        limit p_limit + 1
      ) r;

    when 'sessions' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          s.id, s.code, s.status, s.open_orders, s.completed_orders, s.created_at, s.ended_at,
          (select l.name from interlock.locations l where l.id = s.location_id) as location
        from interlock.picking_sessions s
        where (v_after is null or s.id < v_after)
          and (
            v_search is null or s.id = v_id or s.number = v_number or s.code ilike v_like
            or s.id in (select o.picking_session_id from interlock.picking_session_orders o where o.order_id = v_id)
          )
          and case p_state
            when 'open' then s.ended_at is null
            else p_state is null or s.status = p_state
          end
        order by s.id desc
        limit p_limit + 1
      ) r;

    when 'findings' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          f.id, f.kind, f.product_id, p.name as product, l.name as location, f.subject_id, f.expected, f.found, f.size, f.since, f.cause,
          f.status, f.found_at, f.decided_at, f.reason, f.decided_by
        from interlock.inventory_findings f
        left join interlock.products p on p.id = f.product_id
        left join interlock.locations l on l.id = f.location_id
        where (v_after is null or f.id < v_after)
          and (
            v_search is null or v_id in (f.id, f.product_id, f.subject_id) or f.kind ilike v_like or p.name ilike v_like
          )
          and (p_state is null or f.status = p_state)
        order by f.id desc
        limit p_limit + 1
      ) r;

    when 'deliveries' then
      select jsonb_agg(to_jsonb(r) order by r.id desc)
      into v_rows
      from (
        select
          d.id, e.type as event, d.subject, d.state, d.attempts, w.channel, coalesce(w.description, w.url, w.channel) as endpoint,
          d.created_at, case d.state when 'pending' then d.next_attempt_at end as next_attempt_at, d.ended_at,
          (
            select to_jsonb(a) - '{shop_id,id,delivery_id}'::text[]
            from interlock.delivery_attempts a
            where a.delivery_id = d.id
            order by a.id desc
            limit 1
          ) as last
        from interlock.deliveries d
        join interlock.webhook_endpoints w on w.id = d.endpoint_id
        left join interlock.find_event(d.transaction, d.position) e on true
        where (v_before is null or d.id < v_before)
          and (v_search is null or d.id = v_number or d.subject = v_search)
          and (p_state is null or d.state = p_state)
        order by d.id desc
        limit p_limit + 1
      ) r;
  end case;

  v_rows := coalesce(v_rows, '[]');
  return jsonb_build_object(
    'success', true,
    'next', case
      when jsonb_array_length(v_rows) <= p_limit then null
      when p_list = 'stock' then (coalesce(v_before, 0) + p_limit)::text
      else v_rows -> (p_limit - 1) ->> 'id'
    end,
    'rows', case when jsonb_array_length(v_rows) > p_limit then v_rows - p_limit else v_rows end
  );
end
$$;

-- The physical replicas of this database by name: how many there are of it, and how far they are behind. Others are connected to a database. Who may not
-- see more than that they are there gets no numbers, and a replica knows of none but those that follow it.
--
-- Callers: interlock.metrics.
-- Locks: none.
-- Security definer: as interlock.database_sessions.
create function interlock.database_replicas()
returns table (name text, replicas bigint, lag interval, bytes numeric)
language sql
stable
security definer
rows 3
set search_path = ''
as $$
  select
    regexp_replace(r.application_name, '[^A-Za-z0-9_.-]', '_', 'g'),
    count(*),
    max(r.replay_lag),
    max(pg_wal_lsn_diff(
      case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, r.replay_lsn
    ))
  from pg_stat_replication r
  join pg_stat_activity a on a.pid = r.pid
  where a.datid is null
    and r.state is distinct from 'backup'
  group by 1
$$;

-- How many sessions of this database wait for a lock, and for how many seconds its oldest transaction has been under way.
--
-- Callers: interlock.metrics.
-- Locks: none.
-- Security definer: what sessions do is shown to whoever may see it all, and belongs to no shop (interlock.serve_shops).
create function interlock.database_sessions(out waiting bigint, out oldest numeric)
language sql
stable
security definer
set search_path = ''
as $$
  select
    count(*) filter (where a.wait_event_type = 'Lock'),
    coalesce(extract(epoch from max(clock_timestamp() - a.xact_start)), 0)
  from pg_stat_activity a
  where a.datname = current_database()
    and a.backend_type = 'client backend'
$$;

-- What public.log_position does, with its owner's rights: how far the log of this database is, at the primary what was written, at a
-- replica what was replayed. Who asks the primary after an answer of theirs, and then finds a replica on the same timeline at that
-- position or later, reads there what they have written (docs/growing.md). Positions of two timelines cannot be compared: after a
-- replica has taken over, the old server's log may go on where nobody follows it.
--
-- At the primary it is the end of what was inserted, and not of what was flushed: with synchronous_commit off an answer comes before
-- its commit is on the disk. A replica gets there once that is flushed, which is by the next commit, whoever's.
--
-- Callers: authenticated and service_role, through public.log_position. It tells how much the database has written, and nothing of
-- what; anon writes nothing, and therefore has nothing to find again.
-- Locks: none.
-- Errors: none.
-- Security definer: which timeline a replica receives is told to nobody else.
create function interlock.log_position()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- Once: it may be promoted in between.
  v_is_replica boolean := pg_is_in_recovery();
  v_lsn pg_lsn := case when v_is_replica then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end;
  v_timeline int;
begin
  if v_is_replica then
    -- Where nothing is received it is the latest restart point's, which may be one of before.
    v_timeline := coalesce(
      (select w.received_tli from pg_stat_wal_receiver w),
      (select c.timeline_id from pg_control_checkpoint() c)
    );
  else
    -- The first part of the name of a file of the log.
    v_timeline := ('x' || left(pg_walfile_name(v_lsn), 8))::bit(32)::int;
  end if;

  return jsonb_build_object(
    'success', true,
    'timeline', v_timeline,
    -- Bytes since the log began: exact in JSON, too, up to nine million gigabytes.
    'position', pg_wal_lsn_diff(v_lsn, '0/0')::bigint,
    'lsn', v_lsn::text,
    'is_replica', v_is_replica
  );
end
$$;

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

-- What public.order_story does, with its owner's rights: all that the books have of one order. Its own part is what
-- public.list_orders answers; each event has the id of the request that did it, if a function has asked for it.
--
-- Callers: authenticated (staff) and service_role, through public.order_story.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND.
-- Security definer: the rows of others are not readable otherwise.
create function interlock.order_story(p_order_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_order interlock.orders;
begin
  perform interlock.refuse_unless_shop();
  if p_order_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_order_id', 'is required'));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  if not found then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  return jsonb_build_object(
    'success', true,
    'order', interlock.list_orders(null, null, null, 1, v_order.number) -> 'orders' -> 0,
    'promo_code', (select c.code from interlock.promo_codes c where c.id = v_order.promo_code_id),
    'payments', coalesce((
      select jsonb_agg(to_jsonb(p) - 'shop_id' - 'order_id' order by p.attempt, p.id)
      from interlock.payments p
      where p.order_id = p_order_id
    ), '[]'),
    'stock_movements', coalesce((
      select jsonb_agg(
        to_jsonb(m) - '{shop_id,reference_id,reference}'::text[] || jsonb_build_object(
          'product', (select p.name from interlock.products p where p.id = m.product_id),
          'location', (select l.name from interlock.locations l where l.id = m.location_id)
        )
        order by m.id
      )
      from interlock.stock_movements m
      where m.reference_id = p_order_id
    ), '[]'),
    'wallet_movements', coalesce((
      select jsonb_agg(to_jsonb(w) - '{shop_id,user_id,reference_id,reference}'::text[] order by w.id)
      from interlock.wallet_movements w
      where w.user_id = v_order.user_id
        and w.reference_id = p_order_id
    ), '[]'),
    'deliveries', coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'id', d.id,
          'event', e.event,
          'channel', w.channel,
          'endpoint', coalesce(w.description, w.url, w.channel),
          'state', d.state,
          'attempts', d.attempts,
          'created_at', d.created_at,
          'next_attempt_at', case d.state when 'pending' then d.next_attempt_at end,
          'ended_at', d.ended_at,
          'last', (
            select to_jsonb(a) - '{shop_id,id,delivery_id}'::text[]
            from interlock.delivery_attempts a
            where a.delivery_id = d.id
            order by a.id desc
            limit 1
          )
        )
        order by d.id
      )
      from interlock.order_events e
      join interlock.deliveries d on d.position = e.id
      join interlock.webhook_endpoints w on w.id = d.endpoint_id
      where e.order_id = p_order_id
    ), '[]'),
    'picking_sessions', coalesce((
      select jsonb_agg(
        jsonb_build_object('id', s.id, 'code', s.code, 'status', s.status, 'order_status', o.status, 'closed_at', o.closed_at)
        order by s.id
      )
      from interlock.picking_session_orders o
      join interlock.picking_sessions s on s.id = o.picking_session_id
      where o.order_id = p_order_id
    ), '[]')
  );
end
$$;

-- What public.shop_health does, with its owner's rights: the shop's state for a person who looks after it. What is overdue, interlock.queues
-- says; what else is said here costs a look at small tables and at the newest end of histories. Only with p_books all books are compared,
-- which takes as long as there are ledgers. Conflicts are counted to 10,000.
--
-- Callers: authenticated (staff) and service_role, through public.shop_health.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN.
-- Security definer: staff read few of these rows otherwise.
create function interlock.shop_health(p_books boolean)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  -- As many movements of stock say what is hot.
  v_latest constant bigint := 2000;
  v_now constant timestamptz := interlock.clock();
  v_newest constant bigint := coalesce(
    pg_sequence_last_value(pg_get_serial_sequence('interlock.stock_movements', 'id')::regclass), 0
  );
begin
  perform interlock.refuse_unless_shop();
  return jsonb_build_object(
    'success', true,
    'at', v_now,
    'queues', (
      select jsonb_agg(to_jsonb(q) || jsonb_build_object('patience', extract(epoch from q.patience)) order by q.queue)
      from interlock.queues q
    ),
    'findings', (
      select jsonb_build_object('open', count(*), 'oldest', min(f.found_at))
      from interlock.inventory_findings f
      where f.status = 'open'
    ),
    'audited_at', (select a.started_at from interlock.inventory_audits a order by a.id desc limit 1),
    'differences', case when p_books then jsonb_build_object(
      'stock', (select count(*) from interlock.stock_differences),
      'wallets', (select count(*) from interlock.wallet_differences),
      'codes', (select count(*) from interlock.code_differences),
      'promo', (select count(*) from interlock.promo_differences),
      'packing', (select count(*) from interlock.packing_differences)
    ) end,
    'endpoints', coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'id', w.id, 'channel', w.channel, 'name', coalesce(w.description, w.url, w.channel), 'active', w.active,
          'failing_since', w.failing_since, 'disabled_at', w.disabled_at
        )
        order by w.id
      )
      from interlock.webhook_endpoints w
      where w.failing_since is not null
         or w.disabled_at is not null
    ), '[]'),
    'hot', coalesce((
      select jsonb_agg(to_jsonb(h) order by h.movements desc, h.product_id)
      from (
        select
          m.product_id,
          (select p.name from interlock.products p where p.id = m.product_id) as product,
          (select p.stock_slots from interlock.products p where p.id = m.product_id) as slots,
          count(*) as movements,
          min(m.created_at) as since
        from interlock.stock_movements m
        where m.id > v_newest - v_latest
        group by m.product_id
        order by count(*) desc, m.product_id
        limit 5
      ) h
    ), '[]'),
    'conflicts', jsonb_build_object(
      'stock', (
        select jsonb_build_object('day', count(*), 'hour', count(*) filter (where c.created_at > v_now - interval '1 hour'))
        from (select q.created_at from interlock.inventory_conflicts q order by q.id desc limit 10000) c
        where c.created_at > v_now - interval '1 day'
      ),
      'packing', (
        select jsonb_build_object('day', count(*), 'hour', count(*) filter (where c.created_at > v_now - interval '1 hour'))
        from (select q.created_at from interlock.packing_conflicts q order by q.id desc limit 10000) c
        where c.created_at > v_now - interval '1 day'
      )
    ),
    'database', (
      select jsonb_build_object(
        'committed', d.xact_commit,
        'rolled_back', d.xact_rollback,
        'deadlocks', d.deadlocks,
        'since', d.stats_reset,
        'size', pg_database_size(d.datid),
        'lock_waits', a.waiting,
        'oldest_transaction', a.oldest
      )
      from pg_stat_database d
      cross join (
        select
          count(*) filter (where s.wait_event_type = 'Lock') as waiting,
          coalesce(round(extract(epoch from max(clock_timestamp() - s.xact_start))::numeric, 3), 0) as oldest
        from pg_stat_activity s
        where s.datname = current_database()
          and s.backend_type = 'client backend'
      ) a
      where d.datname = current_database()
    )
  );
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
    count(i.id) filter (where i.since < (select interlock.clock()) - q.patience) as overdue,
    min(i.since) as since,
    (array_agg(i.id order by i.since) filter (where i.since < (select interlock.clock()) - q.patience))[1] as first
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
    select 'events', e.event_position::text, e.created_at
    from interlock.new_events(10000) e
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

create function public.browse_shop(
  p_list text,
  p_search text default null,
  p_state text default null,
  p_after text default null,
  p_limit int default 25
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.browse_shop(p_list, p_search, p_state, p_after, p_limit);
end
$$;

comment on function public.browse_shop(text, text, text, text, int) is
  'A page of orders, batches, drivers, stock, promo codes, picking sessions, findings or deliveries, found by a text and a state, for staff and the service role.';

create function public.log_position()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.log_position()
$$;

comment on function public.log_position() is
  'How far the log of the database is: at the primary what was written, at a replica what was replayed, so that who has written can tell whether a replica has it. For whoever is signed in, and the service role.';

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

create function public.order_story(p_order_id uuid)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.order_story(p_order_id)
$$;

comment on function public.order_story(uuid) is
  'One order as list_orders has it, with its payments, movements of stock and wallet, deliveries, sessions and requests. For staff and the service role.';

create function public.shop_health(p_books boolean default false)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.shop_health(p_books)
$$;

comment on function public.shop_health(boolean) is
  'How the shop is, by part, with what has to be looked at first; with p_books all books are compared as well. For staff and the service role.';

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.browse_shop is
  'What public.browse_shop does, with its owner''s rights: one page of a list, the latest first, for people who look after the shop.';
comment on function interlock.database_replicas is
  'The physical replicas of this database by name: how many there are of it, and how far they are behind.';
comment on function interlock.database_sessions is
  'How many sessions of this database wait for a lock, and for how many seconds its oldest transaction has been under way.';
comment on function interlock.log_position is
  'What public.log_position does, with its owner''s rights: how far the log of this database is, at the primary what was written, at a replica what was replayed.';
comment on function interlock.metrics is
  'What public.metrics does, with its owner''s rights: the shop''s state in numbers, as OpenMetrics text.';
comment on function interlock.order_story is
  'What public.order_story does, with its owner''s rights: all that the books have of one order.';
comment on function interlock.shop_health is
  'What public.shop_health does, with its owner''s rights: the shop''s state for a person who looks after it.';

-- Who may call what of operations. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.browse_shop(text, text, text, text, int),
  public.log_position(),
  public.metrics(),
  public.order_story(uuid),
  public.shop_health(boolean)
from public, anon, authenticated, service_role;

grant execute on function
  -- For whoever may have written something.
  public.log_position(), interlock.log_position,
  -- By token: metrics or staff; anybody else is refused.
  public.metrics(), interlock.metrics,
  -- For the shop: staff by token, anybody else is refused.
  public.browse_shop(text, text, text, text, int), interlock.browse_shop,
  public.order_story(uuid), interlock.order_story,
  public.shop_health(boolean), interlock.shop_health
to authenticated, service_role;
