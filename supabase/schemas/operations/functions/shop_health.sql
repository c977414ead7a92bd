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
