-- What has to be done again and again: the one list, for pg_cron and for `npm run jobs`. `command` does the whole job,
-- `schedule` says when pg_cron does it, `every` how often `npm run jobs --every` does, at most.
--
-- A command is made of
--
--   each     a query of what there is to do, one text for each piece; null where a step finds its work itself
--   step     does a piece ($1), or as much as is good for one transaction, and answers how much that was
--   overdue  what is wrong if work has been left undone for long; null where nothing can be
--
-- and commits after each step, so that nobody waits for more than one, until nothing is left or 50 seconds are over. A
-- step that fails is undone, and the next piece has its turn; then, or if work is overdue, the command fails at its end,
-- with what could be done committed. It is a block, not a procedure: one with a search path of its own cannot commit.
--
-- Where there are many shops it does so for one after the other, each time another one first, and comes back to those in which something is left: so
-- none waits until another one is done with all of it. What is the installation's is done once. The command fails with the reason of one shop and the
-- ids of all that have one.
--
-- Callers: interlock.schedule_jobs, `npm run jobs`.
create function interlock.jobs()
returns table (name text, schedule text, every interval, command text)
language sql
stable
set search_path = ''
as $jobs$
  select j.name, j.schedule, j.every::interval, format(
    $command$
do $job$
declare
  v_until constant timestamptz := clock_timestamp() + interval '50 seconds';
  v_each constant text := %2$L;
  v_shops constant int[] := interlock.shops_to_serve(%5$L);
  v_left int[] := v_shops;
  v_again int[];
  v_shop int;
  v_pieces text[];
  v_piece text;
  v_done bigint;
  v_failed int := 0;
  v_failed_in int[] := '{}';
  v_reason text;
  v_late_in int[] := '{}';
  v_late text;
begin
  loop
    v_again := '{}';
    foreach v_shop in array v_left loop
      perform interlock.act_for(v_shop);
      execute format('select array(%%s)', coalesce(v_each, 'select null::text')) into v_pieces;
      foreach v_piece in array v_pieces loop
        begin
          perform interlock.act_for(v_shop);
          execute %3$L into v_done using v_piece;
        exception
          when others then
            v_done := 0;
            v_failed := v_failed + 1;
            if v_shop <> all (v_failed_in) then
              v_failed_in := v_failed_in || v_shop;
            end if;
            v_reason := coalesce(v_reason, concat_ws(' ', 'shop ' || v_shop, v_piece, sqlstate, sqlerrm));
        end;
        if v_done > 0 then
          commit;
          if v_each is null then
            v_again := v_again || v_shop;
          end if;
        end if;
        exit when clock_timestamp() > v_until;
      end loop;
      -- So that what is held of a shop is let go before the next one's turn.
      if cardinality(v_shops) > 1 then
        commit;
      end if;
      exit when clock_timestamp() > v_until;
    end loop;
    exit when v_again = '{}' or clock_timestamp() > v_until;
    v_left := v_again;
    perform pg_sleep(%6$s);
  end loop;
  foreach v_shop in array v_shops loop
    perform interlock.act_for(v_shop);
    execute %4$L into v_piece;
    if v_piece is not null then
      v_late_in := v_late_in || v_shop;
      v_late := coalesce(v_late, concat_ws(': ', 'shop ' || v_shop, v_piece));
    end if;
    if cardinality(v_shops) > 1 then
      commit;
    end if;
  end loop;
  if v_failed > 0 or v_late is not null then
    raise exception '%%', concat_ws(
      '; ',
      '%1$s failed in ' || nullif(v_failed, 0) || ' steps, first: ' || v_reason,
      'also in shops ' || nullif(array_to_string(v_failed_in[2:], ', '), ''),
      '%1$s: ' || v_late,
      'also in shops ' || nullif(array_to_string(v_late_in[2:], ', '), '')
    );
  end if;
end
$job$
$command$,
    j.name, j.each, j.step, coalesce(j.overdue, 'select null'),
    j.name not in ('make-history-parts', 'archive-history', 'purge-run-log'),
    -- What is called sends after the commit, and has a second before it is asked what is left.
    case j.name when 'deliver' then 1 else 0 end
  )
  from (values
    (
      'expire-orders', '* * * * *', '1 minute', null,
      'select interlock.expire_orders(100)',
      $$
        select format(
          '%s orders are overdue for more than 10 minutes; `select public.cancel_order(%L)` says why', q.overdue, q.first
        )
        from interlock.queues q
        where q.queue = 'orders' and q.overdue > 0
      $$
    ),
    (
      'expire-promo-holds', '* * * * *', '1 minute', null,
      'select interlock.expire_promo_holds(1000)',
      $$
        select format(
          '%s holds of promo codes are overdue for more than 10 minutes, the oldest of the code %s; the database''s log says why',
          q.overdue, q.first
        )
        from interlock.queues q
        where q.queue = 'promo_holds' and q.overdue > 0
      $$
    ),
    (
      'expire-cart-reservations', '* * * * *', '1 minute', null,
      'select interlock.expire_cart_reservations(100)',
      $$
        select format('%s reservations of carts are overdue for more than 10 minutes; the database''s log says why', q.overdue)
        from interlock.queues q
        where q.queue = 'cart_reservations' and q.overdue > 0
      $$
    ),
    (
      'expire-parked-sales', '* * * * *', '1 minute', null,
      'select interlock.expire_parked_sales(100)',
      $$
        select format('%s parked sales are overdue for more than 10 minutes; the database''s log says why', q.overdue)
        from interlock.queues q
        where q.queue = 'parked_sales' and q.overdue > 0
      $$
    ),
    (
      'abandon-stale-sessions', '23 * * * *', '1 hour', null,
      'select interlock.abandon_stale_sessions(20)',
      null
    ),
    (
      'settle-slots', '* * * * *', '1 minute',
      'select distinct s.owner_id::text from interlock.counter_slots s where s.used > 0 order by 1',
      'select interlock.settle_slots($1::uuid)',
      null
    ),
    (
      'settle-points', '* * * * *', '1 minute', null,
      'select interlock.settle_points(100)',
      $$
        select format('points of %s orders are overdue for more than 10 minutes; the database''s log says why', q.overdue)
        from interlock.queues q
        where q.queue = 'points' and q.overdue > 0
      $$
    ),
    (
      'settle-tiers', '13 3 * * *', '1 day',
      'select a.customer_id::text from interlock.points_accounts a order by a.customer_id',
      'select interlock.settle_customer_tier($1::uuid)',
      null
    ),
    (
      'deliver', '* * * * *', '1 minute', null,
      'select interlock.call_deliver()',
      $$
        select format(
          '%s %s are overdue for more than 10 minutes: nothing calls the function deliver, it fails, or more happens than it sends (docs/events.md)',
          q.overdue, case q.queue when 'events' then 'events' else 'deliveries to endpoints' end
        )
        from interlock.queues q
        where q.queue in ('events', 'deliveries') and q.overdue > 0
        limit 1
      $$
    ),
    (
      'remind-payments', '*/5 * * * *', '5 minutes', null,
      'select interlock.remind_payments(100)',
      null
    ),
    (
      'purge-idempotency-keys', '17 * * * *', '1 hour', null,
      'select interlock.purge_idempotency_keys(10000)',
      null
    ),
    (
      'make-history-parts', '*/10 * * * *', '10 minutes', null,
      'select interlock.make_history_parts()',
      null
    ),
    (
      'archive-history', '19 3 * * *', '1 day', null,
      'select interlock.archive_history()',
      null
    ),
    (
      'purge-history', '29 3 * * *', '1 day', null,
      'select sum(t.rows::int) from jsonb_each_text(interlock.purge_history(1000)) as t (name, rows)',
      null
    ),
    (
      'close-ledgers', '53 3 * * *', '1 day',
      'select l::text from interlock.ledgers_to_close() l',
      'select interlock.close_ledger($1::uuid, 20000)',
      null
    ),
    (
      'audit-inventory', '7 4 * * *', '1 day',
      $$
        select 'due'
        where not exists (
          select from interlock.inventory_audits a where a.started_at > interlock.clock() - interval '20 hours'
        )
      $$,
      $$select 1 from interlock.audit_inventory(false) where $1 = 'due'$$,
      $$
        select format(
          '%s findings are open (%s), the oldest since %s; `npm run audit` tells them',
          sum(k.findings), string_agg(format('%s %s', k.findings, k.kind), ', ' order by k.kind), min(k.since)
        )
        from (
          select f.kind, count(*) as findings, min(f.found_at) as since
          from interlock.inventory_findings f
          where f.status = 'open'
          group by f.kind
        ) k
        having count(*) > 0
      $$
    ),
    (
      'fill-links', '* * * * *', '1 minute', null,
      'select interlock.fill_links(1000)',
      null
    ),
    (
      'write-back-stock', '* * * * *', '1 minute',
      'select w.product_id::text from interlock.stock_write_backs w order by w.product_id',
      'select interlock.write_back_stock($1::uuid)',
      $$
        select format(
          'the stock of %s products is not written back to the shop''s own table for more than 10 minutes, the oldest: %s',
          count(*), (array_agg(w.reason order by w.since))[1]
        )
        from interlock.stock_write_backs w
        where w.since < interlock.clock() - interval '10 minutes'
        having count(*) > 0
      $$
    ),
    (
      'write-orders-out', '* * * * *', '1 minute',
      'select distinct w.order_id::text from interlock.order_write_outs w order by 1',
      'select interlock.write_order_out($1::uuid)',
      $$
        select format(
          '%s orders are not in the shop''s own table for more than 10 minutes, the oldest: %s',
          count(*), (array_agg(w.reason order by w.since))[1]
        )
        from interlock.order_write_outs w
        where w.since < interlock.clock() - interval '10 minutes'
        having count(*) > 0
      $$
    ),
    (
      'purge-run-log', '41 3 * * *', '1 day', null,
      'select interlock.purge_run_log()',
      null
    )
  ) as j (name, schedule, every, each, step, overdue)
$jobs$;
