-- What public.audit_inventory does, with its owner's rights: compare the books of the stock with each other, and file what does
-- not agree. Looks at what has moved since the audit before, or at everything: the first time, with p_full, and where what
-- the last one says of transactions does not count (a restored dump).
--
-- What has moved is what a transaction wrote that the last audit may not have seen: one that was under way when it began, or
-- began later (inventory_audits.oldest_transaction). Rows say which transaction wrote them, so a change with the triggers off
-- is found as well, and nobody writes a row more for it. The ledger, which grows for ever, is asked by its ids (an index of
-- a few pages, stock_movements_by_id): an id is given out after its transaction has its number, so what was written by one
-- that came after an audit has a higher id than the last that this audit saw given out.
--
-- It only reads, apart from what it files: nobody who sells waits for it. It goes by pieces, each in statements of its own.
-- What was filed before and is gone is closed; what is there still is not filed again. What is new is told outside, once
-- (interlock.events, audit.finding).
--
-- Callers: the jobs of interlock.jobs; service_role, through public.audit_inventory.
-- Locks: that of audits, advisory (tried, never waited for); the findings it files, closes or follows.
-- Errors: 55P03 if another audit is running.
-- Security definer: nobody has the right to write findings.
create function interlock.audit_inventory(p_full boolean)
returns jsonb
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_piece constant int := 5000;
  v_began constant timestamptz := clock_timestamp();
  v_last interlock.inventory_audits;
  v_audit interlock.inventory_audits;
  v_snapshot pg_snapshot;
  v_after bigint := 0;
  v_product_ids uuid[];
  v_order_ids uuid[];
  v_reservation_ids uuid[];
  v_user_ids uuid[];
  v_transfer_ids uuid[];
  v_sale_ids uuid[];
  v_register_ids uuid[];
  v_first_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if not pg_try_advisory_xact_lock(hashtextextended('interlock audit', 0)) then
    raise exception using errcode = 'lock_not_available', message = 'another audit is running';
  end if;

  -- Before the snapshot, so that whoever comes after it has a higher one.
  select s.last_value
  into v_audit.last_movement
  from pg_catalog.pg_sequences s
  where format('%I.%I', s.schemaname, s.sequencename) = pg_get_serial_sequence('interlock.stock_movements', 'id');
  v_snapshot := pg_current_snapshot();

  select a.* into v_last from interlock.inventory_audits a order by a.id desc limit 1;
  v_audit.whole := coalesce(p_full, false) or not exists (
    select
    from interlock.inventory_audits a
    where a.id = v_last.id
      and a.xmin = a.transaction_id::xid
  );
  v_audit.id := nextval(pg_get_serial_sequence('interlock.inventory_audits', 'id'));
  v_audit.last_movement := coalesce(v_audit.last_movement, 0);
  v_audit.oldest_transaction := pg_snapshot_xmin(v_snapshot);
  v_audit.next_transaction := pg_snapshot_xmax(v_snapshot);
  v_audit.started_at := v_began;
  select greatest(v_last.kept_since, interlock.clock() - s.keep_stock_movements)
  into v_audit.kept_since
  from interlock.settings s;
  -- Ids of ours begin with their time.
  v_first_id := rpad(lpad(to_hex(
    coalesce((extract(epoch from v_audit.kept_since) * 1000)::bigint, 0)
  ), 12, '0'), 32, '0')::uuid;

  if v_audit.whole then
    select array_agg(c.id) into v_product_ids
    from (
      select p.id from interlock.products p
      union
      select m.product_id from interlock.stock_movements m
      union
      select b.product_id from interlock.stock_balances b
      union
      select s.owner_id from interlock.counter_slots s
    ) c;
    select array_agg(c.id) into v_order_ids
    from (
      select o.id from interlock.orders o
      union
      select m.reference_id from interlock.stock_movements m where m.reason = 'checkout'
    ) c;
    select array_agg(c.id) into v_reservation_ids
    from (
      select r.id from interlock.cart_reservations r
      union
      select m.reference_id from interlock.stock_movements m where m.reason like 'cart\_%'
    ) c
    where c.id >= v_first_id;
    select array_agg(c.id) into v_user_ids
    from (
      select u.user_id as id from interlock.customer_open_orders u
      union
      select r.user_id from interlock.cart_reservations r
      union
      select o.user_id from interlock.orders o where o.status in ('pending_payment', 'confirmed')
    ) c;
    select array_agg(c.id) into v_transfer_ids
    from (
      select t.id from interlock.stock_transfers t
      union
      select m.reference_id from interlock.stock_movements m where m.reason in ('transfer_out', 'transfer_in')
    ) c;
    select array_agg(c.id) into v_sale_ids
    from (
      select s.id from interlock.sales s
      union
      select m.reference_id from interlock.stock_movements m where m.reason like 'pos\_%'
    ) c;
  else
    v_after := coalesce((
      select max(a.last_movement)
      from interlock.inventory_audits a
      where a.next_transaction <= v_last.oldest_transaction
    ), 0);

    with moved as materialized (
      select m.product_id, m.reference_id, m.reason from interlock.stock_movements m where m.id > v_after
    ),
    open_findings as (
      select f.kind, f.product_id, f.subject_id from interlock.inventory_findings f where f.status <> 'resolved'
    ),
    changed_orders as (
      select o.id, o.user_id
      from interlock.orders o
      where age(o.xmin) <= age(v_last.oldest_transaction::xid)
    ),
    changed_reservations as (
      select r.id, r.user_id
      from interlock.cart_reservations r
      where age(r.xmin) <= age(v_last.oldest_transaction::xid)
        or exists (
          select
          from interlock.cart_reservation_lines l
          where l.user_id = r.user_id
            and age(l.xmin) <= age(v_last.oldest_transaction::xid)
        )
    )
    select
      array(
        select m.product_id from moved m
        union
        select p.id from interlock.products p where age(p.xmin) <= age(v_last.oldest_transaction::xid)
        union
        select i.product_id from interlock.inventory i where age(i.xmin) <= age(v_last.oldest_transaction::xid)
        union
        select s.owner_id from interlock.counter_slots s
        union
        select c.product_id from interlock.product_codes c where age(c.xmin) <= age(v_last.oldest_transaction::xid)
        union
        select f.product_id from open_findings f where f.product_id is not null
      ),
      array(
        select o.id from changed_orders o
        union
        select m.reference_id
        from moved m
        where m.reason = 'checkout'
          or exists (select from interlock.orders o where o.id = m.reference_id)
        union
        select c.order_id
        from interlock.product_codes c
        where c.order_id is not null
          and age(c.xmin) <= age(v_last.oldest_transaction::xid)
        union
        select f.subject_id from open_findings f where f.kind in ('sales', 'codes') and f.subject_id is not null
      ),
      array(
        select r.id from changed_reservations r
        union
        select m.reference_id from moved m where m.reason like 'cart\_%' and m.reference_id >= v_first_id
        union
        select f.subject_id from open_findings f where f.kind = 'reservations'
      ),
      array(
        select o.user_id from changed_orders o where o.user_id is not null
        union
        select r.user_id from changed_reservations r
        union
        select c.user_id
        from interlock.customer_open_orders c
        where age(c.xmin) <= age(v_last.oldest_transaction::xid)
        union
        select f.subject_id from open_findings f where f.kind = 'open_orders'
      ),
      array(
        select t.id from interlock.stock_transfers t where age(t.xmin) <= age(v_last.oldest_transaction::xid)
        union
        select l.transfer_id
        from interlock.stock_transfer_lines l
        where age(l.xmin) <= age(v_last.oldest_transaction::xid)
        union
        select m.reference_id
        from moved m
        where m.reason in ('transfer_out', 'transfer_in')
          or exists (select from interlock.stock_transfers t where t.id = m.reference_id)
        union
        select f.subject_id from open_findings f where f.kind = 'transfers'
      ),
      array(
        select s.id from interlock.sales s where age(s.xmin) <= age(v_last.oldest_transaction::xid)
        union
        select m.reference_id
        from moved m
        where m.reason like 'pos\_%'
          or exists (select from interlock.sales s where s.id = m.reference_id)
        union
        select f.subject_id from open_findings f where f.kind in ('till_sales', 'totals', 'tenders')
      )
    into v_product_ids, v_order_ids, v_reservation_ids, v_user_ids, v_transfer_ids, v_sale_ids;
  end if;
  -- The few that are not settled, whenever they came.
  v_sale_ids := v_sale_ids || array(
    select f.sale_id from interlock.sale_shortfalls f where f.taken_at is null group by f.sale_id
  ) || array(
    select i.picking_session_id
    from interlock.picking_session_items i
    where i.quantity_short > 0
      and i.checked_at is null
    group by i.picking_session_id
  );
  v_register_ids := array(select r.id from interlock.registers r);
  v_audit.products := coalesce(cardinality(v_product_ids), 0);
  v_audit.orders := coalesce(cardinality(v_order_ids), 0);

  for v_from in 1..greatest(
    v_audit.products, v_audit.orders, cardinality(v_reservation_ids), cardinality(v_user_ids), cardinality(v_transfer_ids),
    cardinality(v_sale_ids), cardinality(v_register_ids), 1
  ) by v_piece loop
    -- Nobody else audits: what is not known yet can be added.
    with differences as materialized (
      select d.kind, d.product_id, d.location_id, d.subject_id, d.expected, d.found, d.since, d.cause, d.found - d.expected as size
      from interlock.find_differences(
        v_product_ids[v_from:v_from + v_piece - 1],
        v_order_ids[v_from:v_from + v_piece - 1],
        v_reservation_ids[v_from:v_from + v_piece - 1],
        v_user_ids[v_from:v_from + v_piece - 1],
        v_transfer_ids[v_from:v_from + v_piece - 1],
        v_sale_ids[v_from:v_from + v_piece - 1],
        v_register_ids[v_from:v_from + v_piece - 1],
        v_audit.kept_since
      ) d
    ),
    known as (
      update interlock.inventory_findings f
      set expected = d.expected,
          found = d.found,
          cause = d.cause,
          last_audit = v_audit.id,
          -- Accepted was another difference.
          status = case when f.size = d.size then f.status else 'open' end,
          decided_at = case when f.size = d.size then f.decided_at end,
          reason = case when f.size = d.size then f.reason end,
          decided_by = case when f.size = d.size then f.decided_by end,
          actor = case when f.size = d.size then f.actor end
      from differences d
      where f.status <> 'resolved'
        and f.kind = d.kind
        and (f.product_id, f.location_id, f.subject_id) is not distinct from (d.product_id, d.location_id, d.subject_id)
      returning f.kind, f.product_id, f.location_id, f.subject_id
    )
    insert into interlock.inventory_findings (
      kind, product_id, location_id, subject_id, expected, found, since, cause, first_audit, last_audit, found_at
    )
    select
      d.kind, d.product_id, d.location_id, d.subject_id, d.expected, d.found, coalesce(d.since, v_last.started_at),
      d.cause, v_audit.id, v_audit.id, clock_timestamp()
    from differences d
    where not exists (
      select from known k
      where k.kind = d.kind
        and (k.product_id, k.location_id, k.subject_id) is not distinct from (d.product_id, d.location_id, d.subject_id)
    );
  end loop;

  perform interlock.note_event('audit.finding', f.id::text, jsonb_build_object(
    'finding_id', f.id, 'kind', f.kind, 'product_id', f.product_id, 'location_id', f.location_id, 'subject_id', f.subject_id,
    'expected', f.expected, 'found', f.found, 'size', f.size
  ))
  from interlock.inventory_findings f
  where f.first_audit = v_audit.id;

  update interlock.inventory_findings f
  set status = 'resolved',
      decided_at = clock_timestamp(),
      reason = 'gone at the next audit',
      decided_by = null,
      actor = null
  where f.status <> 'resolved'
    and f.last_audit <> v_audit.id;
  get diagnostics v_audit.closed_findings = row_count;

  select
    count(*) filter (where f.first_audit = v_audit.id),
    count(*) filter (where f.status = 'open'),
    coalesce(sum(abs(f.size)) filter (where f.status = 'open'), 0)
  into v_audit.new_findings, v_audit.open_findings, v_audit.open_units
  from interlock.inventory_findings f
  where f.status <> 'resolved';

  v_audit.transaction_id := pg_current_xact_id();
  v_audit.ended_at := clock_timestamp();
  insert into interlock.inventory_audits overriding system value select v_audit.*;

  return jsonb_build_object(
    'success', true,
    'audit_id', v_audit.id,
    'whole', v_audit.whole,
    'started_at', v_audit.started_at,
    'ended_at', v_audit.ended_at,
    'products', v_audit.products,
    'orders', v_audit.orders,
    'new_findings', v_audit.new_findings,
    'closed_findings', v_audit.closed_findings,
    'open_findings', v_audit.open_findings,
    'open_units', v_audit.open_units
  );
end
$$;
