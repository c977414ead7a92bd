-- Audits of the stock: what its books do not agree on.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- Which two books do not agree.
create domain interlock.finding_kind as text
  constraint inventory_findings_kind_known
    check (value in (
      'ledger', 'sales', 'reservations', 'open_orders', 'codes', 'slots', 'transfers', 'oversold_offline', 'till_sales', 'totals',
      'tenders', 'receipts', 'picked_short'
    ));

create domain interlock.finding_status as text
  constraint inventory_findings_status_known check (value in ('open', 'resolved', 'accepted'));

-- Audits of the stock (interlock.audit_inventory), one row each, written when it has ended. Never changed: what an audit
-- says of transactions counts only where its own row is from the transaction that it names, which a row that came with a
-- restored dump is not.
--
-- From where the next audit goes on: whatever an audit may not have seen was written by a transaction that was under way when
-- it began, or began later. Postgres keeps in each row which transaction wrote it (xmin), so no sale has to write anything for it.
create table interlock.inventory_audits (
  id bigint generated always as identity
    constraint inventory_audits_pkey primary key,
  whole boolean not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  transaction_id xid8 not null,
  oldest_transaction xid8 not null,
  next_transaction xid8 not null,
  last_movement bigint not null,
  kept_since timestamptz,
  products int not null,
  orders int not null,
  new_findings int not null,
  closed_findings int not null,
  open_findings int not null,
  open_units numeric not null
);

comment on table interlock.inventory_audits is
  'Audits of the stock, one row each. Read by staff.';
comment on column interlock.inventory_audits.whole is
  'Whether it has looked at everything, and not only at what has moved since the one before.';
comment on column interlock.inventory_audits.oldest_transaction is
  'The oldest transaction that was under way when it began: what that one or a later one wrote, the next audit looks at.';
comment on column interlock.inventory_audits.next_transaction is
  'The transaction that came next when it began.';
comment on column interlock.inventory_audits.last_movement is
  'The last id that the stock ledger had given out before it began.';
comment on column interlock.inventory_audits.kept_since is
  'From when on the stock ledger has all its rows, as far as retention goes; orders from before are not compared with it.';
comment on column interlock.inventory_audits.products is
  'How many products it has looked at.';
comment on column interlock.inventory_audits.orders is
  'How many orders it has looked at.';
comment on column interlock.inventory_audits.new_findings is
  'Findings that it has filed.';
comment on column interlock.inventory_audits.closed_findings is
  'Findings that were gone.';
comment on column interlock.inventory_audits.open_findings is
  'Findings that were open when it had ended.';
comment on column interlock.inventory_audits.open_units is
  'What these came to, without their signs.';

create trigger inventory_audits_append_only
  before update or delete on interlock.inventory_audits
  for each row
  execute function interlock.refuse_change();

create trigger inventory_audits_no_truncate
  before truncate on interlock.inventory_audits
  for each statement
  execute function interlock.refuse_change();

alter table interlock.inventory_audits enable row level security;

grant select on table interlock.inventory_audits to authenticated, service_role;

create policy inventory_audits_select_staff
  on interlock.inventory_audits
  for select
  to authenticated
  using ((select interlock.is_staff()));

-- What audits of the stock have found: two books that do not agree. One row for each difference, as long as it lasts.
--
--   kind              what should be the same                                         subject_id
--   ledger            the sum of a product's ledger at a location, and its stock there –
--   sales             what the lines of an order hold, and what the ledger took       the order
--   reservations      what a reservation holds, and what the ledger took for it       the reservation
--   open_orders       the units of a customer's open orders, and their counter        the customer
--   codes             free codes and stock; codes of an order and what it bought      the order, or –
--   slots             the slots of a product, and what its row says                   –
--   transfers         what a transfer says of a location, and what the ledger says    the transfer
--   oversold_offline  what a till that was cut off has sold, and what was there       the sale
--   till_sales        what a sale at a till has sold, and what the ledger took        the sale
--   totals            what the lines of such a sale come to, and its total            the sale
--   tenders           what it came to, and what was paid                              the sale
--   receipts          the receipts that a register has counted, and its sales         the register
--
-- `expected` is what follows from the first, `found` what the second says. An open finding is followed by every audit: it
-- changes with the difference, and closes by itself once there is none. public.resolve_finding corrects it, with a reason, where
-- that can be done; public.accept_finding lets it be, by name, for as long as its size stays the same.
create table interlock.inventory_findings (
  id uuid not null default interlock.new_id()
    constraint inventory_findings_pkey primary key,
  kind interlock.finding_kind not null,
  product_id uuid,
  location_id uuid,
  subject_id uuid,
  expected numeric not null,
  found numeric not null,
  size numeric not null generated always as (found - expected) stored,
  since timestamptz,
  cause text not null,
  status interlock.finding_status not null default 'open',
  first_audit bigint not null
    constraint inventory_findings_first_audit_fkey references interlock.inventory_audits (id) deferrable initially deferred,
  last_audit bigint not null
    constraint inventory_findings_last_audit_fkey references interlock.inventory_audits (id) deferrable initially deferred,
  found_at timestamptz not null,
  decided_at timestamptz,
  reason interlock.label,
  decided_by interlock.label,
  actor uuid,
  constraint inventory_findings_decided_whole check (
    case status
      when 'open' then num_nonnulls(decided_at, reason, decided_by, actor) = 0
      else num_nulls(decided_at, reason) = 0
    end
  )
);

comment on table interlock.inventory_findings is
  'What audits of the stock have found, and what has become of it. Read by staff.';
comment on column interlock.inventory_findings.location_id is
  'Where, if it is about stock at a location.';
comment on column interlock.inventory_findings.subject_id is
  'The order, reservation, customer, transfer or sale that it is about.';
comment on column interlock.inventory_findings.size is
  'By how much what was found is more than what was expected.';
comment on column interlock.inventory_findings.since is
  'When the books last agreed, as far as they say.';
comment on column interlock.inventory_findings.cause is
  'What has probably happened.';
comment on column interlock.inventory_findings.last_audit is
  'The last audit that has seen it.';
comment on column interlock.inventory_findings.reason is
  'Why it was resolved or accepted, as whoever did it said.';
comment on column interlock.inventory_findings.decided_by is
  'Who has accepted it, by name.';
comment on column interlock.inventory_findings.actor is
  'The staff member who has resolved or accepted it; empty for the shop and for audits.';

-- One difference is filed once.
create unique index inventory_findings_once
  on interlock.inventory_findings (kind, product_id, location_id, subject_id)
  nulls not distinct
  where status <> 'resolved';

create trigger inventory_findings_no_delete
  before delete on interlock.inventory_findings
  for each row
  execute function interlock.refuse_change();

create trigger inventory_findings_no_truncate
  before truncate on interlock.inventory_findings
  for each statement
  execute function interlock.refuse_change();

alter table interlock.inventory_findings enable row level security;

grant select on table interlock.inventory_findings to authenticated, service_role;

create policy inventory_findings_select_staff
  on interlock.inventory_findings
  for select
  to authenticated
  using ((select interlock.is_staff()));

-- What public.accept_finding does, with its owner's rights: let a difference be, by name, as long as its size stays the same.
-- Nothing is corrected. Called again for what is accepted it answers the first decision.
--
-- Callers: authenticated (staff) and service_role, through public.accept_finding.
-- Locks: the finding, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, FINDING_NOT_FOUND, FINDING_RESOLVED; 55P03 is transient.
-- Security definer: nobody has the right to write findings.
create function interlock.accept_finding(p_finding_id uuid, p_reason text, p_name text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_finding interlock.inventory_findings;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  if p_finding_id is null then
    v_problems := v_problems || interlock.problem('/p_finding_id', 'is required');
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 200 characters');
  end if;
  if interlock.is_line(p_name, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_name', 'must have 1 to 200 characters: who accepts it');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_finding := interlock.lock_finding(p_finding_id);
  if v_finding.status = 'resolved' then
    perform interlock.raise_error('FINDING_RESOLVED', jsonb_build_object('finding_id', v_finding.id));
  end if;
  if v_finding.status = 'open' then
    update interlock.inventory_findings f
    set status = 'accepted',
        decided_at = clock_timestamp(),
        reason = p_reason,
        decided_by = p_name,
        actor = auth.uid()
    where f.id = p_finding_id
    returning f.* into v_finding;
  end if;
  return jsonb_build_object('success', true, 'finding', interlock.finding_to_json(v_finding));
end
$$;

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

-- Without an order: set the stock of a digital product to the number of its free codes. Of an order: give it the codes that
-- it lacks, or take back those too many that nobody has seen.
--
-- Callers: interlock.resolve_finding.
-- Locks: the account of its buyer and the order; the product's stock row, its codes.
-- Errors: INSUFFICIENT_INVENTORY, PRODUCT_NOT_FOUND; 55P03 is transient.
create function interlock.correct_codes(p_product_id uuid, p_order_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_status constant text := interlock.lock_order(p_order_id);
  v_missing int;
begin
  perform interlock.lock_stock(array[p_product_id]);
  select d.expected - d.found
  into v_missing
  from interlock.find_code_differences(array[p_product_id], array[p_order_id]) d
  where d.product_id = p_product_id
    and d.order_id is not distinct from p_order_id;

  if p_order_id is null then
    perform interlock.set_ledger_context(p_reason, null), set_config('interlock.counting_codes', 'on', true);
    update interlock.products p
    set available_quantity = p.available_quantity + v_missing
    where p.id = p_product_id
      and v_missing <> 0;
    perform interlock.set_ledger_context(null, null), set_config('interlock.counting_codes', '', true);
  elsif v_missing > 0 then
    perform interlock.take_stock(array[p_product_id], array[v_missing], p_reason, p_order_id);
    perform interlock.take_product_codes(
      array[p_product_id], array[v_missing], p_order_id, p_reason, v_status in ('paid', 'fulfilled')
    );
  elsif v_missing < 0 then
    perform interlock.set_ledger_context(p_reason, p_order_id);
    update interlock.product_codes c
    set order_id = null
    where c.id = any (array(
      select k.id
      from interlock.product_codes k
      where k.order_id = p_order_id
        and k.product_id = p_product_id
        and k.used_at is null
      order by k.id desc
      limit -v_missing
    ));
    perform interlock.set_ledger_context(null, null);
  end if;
end
$$;

-- Write into the ledger of a product at a location what it lacks of the stock that is there: what is on the shelf is the truth.
--
-- Callers: interlock.resolve_finding.
-- Locks: the row of inventory, or the product and its slots, waiting: under these ids are given out.
-- Errors: 55P03 after lock_timeout.
create function interlock.correct_ledger(p_product_id uuid, p_location_id uuid, p_reason text, p_reference text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_location_id = interlock.online_location() then
    perform interlock.lock_stock(array[p_product_id]);
    perform interlock.lock_slots(p_product_id);
  else
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    perform 1
    from interlock.inventory i
    where i.product_id = p_product_id
      and i.location_id = p_location_id
    for no key update;
  end if;

  insert into interlock.stock_movements (product_id, location_id, delta, balance_after, reason, reference, actor)
  select
    d.product_id, d.location_id, d.found - d.expected,
    case when p_location_id <> interlock.online_location() or coalesce(p.stock_slots, 0) = 0 then d.found end,
    p_reason, p_reference, auth.uid()
  from interlock.find_ledger_differences(array[p_product_id]) d
  left join interlock.products p on p.id = d.product_id
  -- Less than nothing is on no shelf.
  where d.location_id = p_location_id
    and d.found >= -coalesce(p.backordered, 0);
end
$$;

-- Set the counter of a customer's open orders to what they come to. Whoever counts an order up or down waits for it, and
-- whoever has done so is waited for.
--
-- Callers: interlock.resolve_finding.
-- Locks: the counter of the customer's open orders, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.correct_open_orders(p_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.customer_open_orders (user_id) values (p_user_id) on conflict do nothing;
  perform 1 from interlock.customer_open_orders c where c.user_id = p_user_id for no key update;

  update interlock.customer_open_orders c
  set orders = d.orders,
      units = d.units
  from interlock.find_open_order_differences(array[p_user_id]) d
  where c.user_id = p_user_id;
end
$$;

-- Take from the stock what a reservation holds and the ledger has not taken for it, or give back what it has taken too much.
-- Lines that one has left which has ended go.
--
-- Callers: interlock.resolve_finding.
-- Locks: the reservation; the product's stock row, its slots.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, PRODUCT_NOT_FOUND; 55P03 is transient.
create function interlock.correct_reservation(p_reservation_id uuid, p_product_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_missing int;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.cart_reservations r where r.id = p_reservation_id for no key update;
  delete from interlock.cart_reservation_lines l
  using interlock.cart_reservations r
  where r.id = p_reservation_id
    and r.expires_at is null
    and l.user_id = r.user_id
    and l.product_id = p_product_id;

  select d.expected - d.found
  into v_missing
  from interlock.find_reservation_differences(array[p_reservation_id]) d
  where d.product_id = p_product_id;

  if v_missing > 0 then
    perform interlock.take_stock(array[p_product_id], array[v_missing], p_reason, p_reservation_id);
  elsif v_missing < 0 then
    perform interlock.return_stock(array[p_product_id], array[-v_missing], p_reason, p_reservation_id);
  end if;
end
$$;

-- Take from the stock what a line of an order holds and the ledger has not taken, or give back what it has taken too much.
--
-- Callers: interlock.resolve_finding.
-- Locks: the account of its buyer and the order; the product's stock row, its slots.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, PRODUCT_NOT_FOUND; 55P03 is transient.
create function interlock.correct_sale(p_order_id uuid, p_product_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_missing int;
begin
  perform interlock.lock_order(p_order_id);
  select d.expected - d.found
  into v_missing
  from interlock.find_sale_differences(array[p_order_id]) d
  where d.product_id = p_product_id;

  if v_missing > 0 then
    perform interlock.take_stock(array[p_product_id], array[v_missing], p_reason, p_order_id);
  elsif v_missing < 0 then
    perform interlock.return_stock(array[p_product_id], array[-v_missing], p_reason, p_order_id);
  end if;
end
$$;

-- Make the slots of a product anew: as many as its row says, with what it has shared out. Those of nobody go.
--
-- Callers: interlock.resolve_finding.
-- Locks: the product and its slots, waiting.
-- Errors: 23514 check_violation if its slots have sold more than there was; 55P03 after lock_timeout.
create function interlock.correct_slots(p_product_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_slots int;
begin
  perform interlock.lock_stock(array[p_product_id]);
  perform interlock.settle_stock(p_product_id);
  v_slots := coalesce((select p.stock_slots from interlock.products p where p.id = p_product_id), 0);
  perform interlock.make_slots(p_product_id, v_slots);
  perform interlock.grant_slots(p_product_id, v_slots, p.available_quantity)
  from interlock.products p
  where p.id = p_product_id;
end
$$;

-- Bring the stock of a location to what the lines of a transfer say: what the ledger has moved too little for it, or too much.
-- Whoever books what becomes of the transfer meanwhile changes lines and ledger together, and not what they differ by.
--
-- Callers: interlock.resolve_finding.
-- Locks: as interlock.lock_inventory.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, PRODUCT_NOT_FOUND; 55P03 is transient.
create function interlock.correct_transfer(p_transfer_id uuid, p_product_id uuid, p_location_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_lines jsonb;
begin
  v_lines := (
    select interlock.transfer_ends(
      jsonb_build_array(jsonb_build_object('product_id', p_product_id, 'quantity', d.expected - d.found)), p_location_id
    )
    from interlock.find_transfer_differences(array[p_transfer_id]) d
    where d.product_id = p_product_id
      and d.location_id = p_location_id
  );
  if v_lines is not null then
    perform interlock.refuse_shortages(v_lines, interlock.lock_inventory(v_lines));
    perform interlock.move_quantities(v_lines, p_reason, p_transfer_id);
  end if;
end
$$;

-- Since when the ledger of a product at a location has not added up to its stock there, and what has probably happened. Each movement says
-- what there was after it (but for those of a product with slots), so the first that does not follow from those before it
-- is where rows are missing, changed, or too many; if there is none the stock was changed after the last.
--
-- Callers: interlock.find_differences, for a product whose ledger does not add up.
-- Locks: none.
create function interlock.explain_ledger(p_product_id uuid, p_location_id uuid, out o_since timestamptz, out o_cause text)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_first record;
begin
  select c.id, c.before
  into v_first
  from (
    select
      m.id, m.balance_after,
      coalesce(b.quantity, 0) + sum(m.delta) over (order by m.id) as sum,
      lag(m.created_at) over (order by m.id) as before
    from interlock.stock_movements m
    left join interlock.stock_balances b on b.product_id = m.product_id and b.location_id = m.location_id
    where m.product_id = p_product_id
      and m.location_id = p_location_id
      and m.id > case when b.closed_through is null then 0 else b.closed_through end
  ) c
  where c.balance_after <> c.sum
  order by c.id
  limit 1;
  if found then
    o_since := v_first.before;
    o_cause := format('Rows of the ledger up to movement %s are missing, were changed or added by hand.', v_first.id);
    return;
  end if;

  o_since := (
    select m.created_at
    from interlock.stock_movements m
    where m.product_id = p_product_id
      and m.location_id = p_location_id
    order by m.id desc
    limit 1
  );
  o_cause := case
    when not exists (select from interlock.products p where p.id = p_product_id) then
      'The product was deleted past the ledger: with the triggers off, or by a restore.'
    else 'The stock was changed past the ledger: with the triggers off, or by a restore.'
  end;
end
$$;

-- Digital products of these whose stock is not the number of their free codes; orders of these that have not the codes they
-- bought, or have ended and keep codes that nobody has seen.
--
-- Callers: interlock.find_differences, interlock.correct_codes.
-- Locks: none.
create function interlock.find_code_differences(p_product_ids uuid[], p_order_ids uuid[])
returns table (product_id uuid, order_id uuid, expected numeric, found numeric, since timestamptz, cause text)
language sql
stable
set search_path = ''
as $$
  select
    p.id, null::uuid, c.free, p.available_quantity, null::timestamptz,
    'Codes were added, removed or changed past the triggers, or the stock was.'
  from (select distinct u.id from unnest(p_product_ids) as u (id)) a
  join interlock.products p on p.id = a.id
  cross join lateral (
    select count(*) as free from interlock.product_codes f where f.product_id = p.id and f.order_id is null
  ) c
  where p.kind = 'digital'
    and p.available_quantity <> c.free
  union all
  select
    i.product_id, o.id, h.held, c.codes, coalesce(o.refunded_at, o.cancelled_at, o.created_at),
    case
      when c.codes > h.held then 'The order was ended, or its lines changed, past the functions, and keeps codes.'
      else 'The order was written past the functions, or codes were taken from it.'
    end
  from (select distinct u.id from unnest(p_order_ids) as u (id)) a
  join interlock.orders o on o.id = a.id
  join interlock.order_items i on i.order_id = o.id
  -- Of an order that has ended only what nobody has seen counts.
  cross join lateral (
    select count(*) as codes
    from interlock.product_codes k
    where k.order_id = o.id
      and k.product_id = i.product_id
      and k.replaced_by is null
      and (o.status not in ('cancelled', 'expired', 'refunded') or k.used_at is null)
  ) c
  cross join lateral (
    select case
      when o.status in ('cancelled', 'expired', 'refunded') then 0
      else i.quantity - coalesce((
        select sum(f.restocked)
        from interlock.order_refund_items f
        where f.order_id = i.order_id
          and f.product_id = i.product_id
      ), 0)
    end as held
  ) h
  where i.kind = 'digital'
    and c.codes <> h.held
$$;

-- Every difference between the books that these products, orders, reservations, customers, transfers, sales at tills (or picking
-- sessions: their ids stand among those of the sales) and registers are in.
-- Each kind is asked in a statement of its own, which sees the rows of one moment.
--
-- Callers: interlock.audit_inventory, interlock.resolve_finding.
-- Locks: none.
create function interlock.find_differences(
  p_product_ids uuid[],
  p_order_ids uuid[],
  p_reservation_ids uuid[],
  p_user_ids uuid[],
  p_transfer_ids uuid[],
  p_sale_ids uuid[],
  p_register_ids uuid[],
  p_kept_since timestamptz default null
)
returns table (
  kind text, product_id uuid, location_id uuid, subject_id uuid, expected numeric, found numeric, since timestamptz, cause text
)
language plpgsql
set search_path = ''
as $$
begin
  return query
    select 'ledger', d.product_id, d.location_id, null::uuid, d.expected, d.found, e.o_since, e.o_cause
    from interlock.find_ledger_differences(p_product_ids) d
    cross join lateral interlock.explain_ledger(d.product_id, d.location_id) e;
  return query
    select 'sales', d.product_id, null::uuid, d.order_id, d.expected, d.found, d.since, d.cause
    from interlock.find_sale_differences(p_order_ids, p_kept_since) d;
  return query
    select 'reservations', d.product_id, null::uuid, d.reservation_id, d.expected, d.found, d.since, d.cause
    from interlock.find_reservation_differences(p_reservation_ids) d;
  return query
    select 'open_orders', null::uuid, null::uuid, d.user_id, d.expected, d.found, null::timestamptz, d.cause
    from interlock.find_open_order_differences(p_user_ids) d;
  return query
    select 'codes', d.product_id, null::uuid, d.order_id, d.expected, d.found, d.since, d.cause
    from interlock.find_code_differences(p_product_ids, p_order_ids) d;
  return query
    select 'slots', d.product_id, null::uuid, null::uuid, d.expected, d.found, null::timestamptz, d.cause
    from interlock.find_slot_differences(p_product_ids) d;
  return query
    select 'transfers', d.product_id, d.location_id, d.transfer_id, d.expected, d.found, d.since, d.cause
    from interlock.find_transfer_differences(p_transfer_ids, p_kept_since) d;
  return query
    select 'oversold_offline', d.product_id, d.location_id, d.sale_id, d.expected, d.found, d.since, d.cause
    from interlock.find_shortfalls(p_sale_ids) d;
  return query
    select 'picked_short', d.product_id, d.location_id, d.session_id, d.expected, d.found, d.since, d.cause
    from interlock.find_short_picks(p_sale_ids) d;
  return query select d.* from interlock.find_till_differences(p_sale_ids, p_register_ids, p_kept_since) d;
end
$$;

-- Products of these whose ledger at a location does not add up to their stock there, less what is owed. A ledger is its closed
-- part and the movements after that; what slots have sold is in it already.
--
-- One statement, so stock, slots and ledger are those of one moment, whoever sells meanwhile. Where a product has stock, a
-- closed part or a movement is where it has a ledger.
--
-- Callers: interlock.find_differences, interlock.correct_ledger.
-- Locks: none.
-- Not compiled (jit): its steps are expected to give far more than they do, and on Postgres 15 compiling took seconds.
create function interlock.find_ledger_differences(p_product_ids uuid[])
returns table (product_id uuid, location_id uuid, expected numeric, found numeric)
language sql
stable
set search_path = ''
set jit = off
as $$
  select d.id, d.location_id, trim_scale(d.ledger), trim_scale(d.stock)
  from (
    select
      a.id,
      w.location_id,
      coalesce(b.quantity, 0) + coalesce((
        select sum(m.delta)
        from interlock.stock_movements m
        where m.product_id = a.id
          and m.location_id = w.location_id
          and m.id > case when b.closed_through is null then 0 else b.closed_through end
      ), 0) as ledger,
      case
        when w.location_id = interlock.online_location() then coalesce(p.available_quantity - p.backordered, 0) - coalesce((
          select sum(s.used) from interlock.counter_slots s where s.owner_id = p.id and p.stock_slots > 0
        ), 0)
        else coalesce((
          select i.quantity from interlock.inventory i where i.product_id = a.id and i.location_id = w.location_id
        ), 0)
      end as stock
    from unnest(p_product_ids) as a (id)
    cross join lateral (
      select interlock.online_location() as location_id
      union
      select i.location_id from interlock.inventory i where i.product_id = a.id
      union
      select c.location_id from interlock.stock_balances c where c.product_id = a.id
      union
      select l.location_id from interlock.ledger_locations(a.id) as l (location_id)
    ) w
    left join interlock.products p on p.id = a.id
    left join interlock.stock_balances b on b.product_id = a.id and b.location_id = w.location_id
  ) d
  where d.ledger <> d.stock
$$;

-- Customers of these whose counter of open orders (interlock.customer_open_orders) is not what their open orders and their
-- reservation come to. Units are told, or orders where these are the only difference.
--
-- Callers: interlock.find_differences, interlock.correct_open_orders.
-- Locks: none.
create function interlock.find_open_order_differences(p_user_ids uuid[])
returns table (user_id uuid, expected numeric, found numeric, cause text, orders int, units int)
language sql
stable
set search_path = ''
as $$
  select
    d.id,
    case when d.units <> d.counted_units then d.units else d.orders end,
    case when d.units <> d.counted_units then d.counted_units else d.counted_orders end,
    format(
      '%s open orders and %s units are counted, and there are %s of %s units: orders were changed past the functions.',
      d.counted_orders, d.counted_units, d.orders, d.units
    ),
    d.orders,
    d.units
  from (
    select
      a.id,
      o.orders::int as orders,
      (o.units + coalesce((
        select r.counted_units from interlock.cart_reservations r where r.user_id = a.id
      ), 0))::int as units,
      coalesce(c.orders, 0) as counted_orders,
      coalesce(c.units, 0) as counted_units
    from (select distinct u.id from unnest(p_user_ids) as u (id) where u.id is not null) a
    left join interlock.customer_open_orders c on c.user_id = a.id
    cross join lateral (
      select count(*) as orders, coalesce(sum(q.counted_units), 0) as units
      from interlock.orders q
      where q.user_id = a.id
        and q.counted_units is not null
        and q.status in ('pending_payment', 'confirmed')
    ) o
  ) d
  where (d.orders, d.units) <> (d.counted_orders, d.counted_units)
$$;

-- Reservations of these ids of which the ledger has not taken what they hold. One that has ended holds nothing, whatever
-- lines it has left.
--
-- Callers: interlock.find_differences, interlock.correct_reservation.
-- Locks: none.
create function interlock.find_reservation_differences(p_reservation_ids uuid[])
returns table (product_id uuid, reservation_id uuid, expected numeric, found numeric, since timestamptz, cause text)
language sql
stable
set search_path = ''
as $$
  with asked as (
    select distinct u.id from unnest(p_reservation_ids) as u (id)
  ),
  books as (
    select
      a.id, l.product_id, null::timestamptz as created_at, null::numeric as taken,
      case when r.expires_at is not null then l.quantity else 0 end as held,
      case when r.expires_at is null then l.quantity end as left_over
    from asked a
    join interlock.cart_reservations r on r.id = a.id
    join interlock.cart_reservation_lines l on l.user_id = r.user_id
    where not l.untracked
    union all
    select a.id, m.product_id, m.created_at, -m.delta, null, null
    from asked a
    join interlock.stock_movements m on m.reference_id = a.id
  )
  select
    b.product_id, b.id, coalesce(sum(b.held), 0), greatest(coalesce(sum(b.taken), 0), sum(b.left_over)), max(b.created_at),
    case
      when count(b.left_over) > 0 then 'The reservation has ended and its lines are still there: it was ended past the functions.'
      when coalesce(sum(b.held), 0) = 0 then
        'The reservation is gone and its units never came back: it was removed past the functions.'
      else 'The lines of the reservation were changed past the functions.'
    end
  from books b
  group by b.product_id, b.id
  having coalesce(sum(b.held), 0) <> coalesce(sum(b.taken), 0)
    or count(b.left_over) > 0
$$;

-- Lines of these orders of which the ledger has not taken as much as they hold: units that were sold, less those that came
-- back. An order that has ended holds what had left. What took nothing from the stock is left out, and so are digital
-- products, whose codes say who has them (interlock.find_code_differences). An id may be that of no order: then the ledger
-- has taken something for nobody. Orders from before p_kept_since are left out, as rows of the ledger may be gone.
--
-- Callers: interlock.find_differences, interlock.correct_sale.
-- Locks: none.
create function interlock.find_sale_differences(p_order_ids uuid[], p_kept_since timestamptz default null)
returns table (product_id uuid, order_id uuid, expected numeric, found numeric, since timestamptz, cause text)
language sql
stable
set search_path = ''
as $$
  with asked as (
    select distinct u.id, o.status, o.fulfillment, o.created_at, coalesce(o.refunded_at, o.cancelled_at, o.created_at) as since
    from unnest(p_order_ids) as u (id)
    left join interlock.orders o on o.id = u.id
    where (o.created_at < p_kept_since) is not true
  ),
  books as (
    select
      a.id, a.created_at, a.since, i.product_id, null::numeric as taken,
      case
        when a.status not in ('cancelled', 'expired', 'refunded') or a.fulfillment in ('shipped', 'delivered')
          then i.quantity
        else coalesce(r.from_shelf, 0) + coalesce((
          select sum(s.quantity)
          from interlock.order_shipment_items s
          where s.order_id = i.order_id
            and s.product_id = i.product_id
        ), 0)
      end - coalesce(r.restocked, 0) as held
    from asked a
    join interlock.order_items i on i.order_id = a.id
    left join lateral (
      select sum(f.from_shelf) as from_shelf, sum(f.restocked) as restocked
      from interlock.order_refund_items f
      where f.order_id = i.order_id
        and f.product_id = i.product_id
    ) r on true
    where i.kind = 'physical'
      and not i.untracked
    union all
    select a.id, a.created_at, coalesce(a.since, m.created_at), m.product_id, -m.delta, null
    from asked a
    join interlock.stock_movements m on m.reference_id = a.id
    where not exists (
      select from interlock.products p where p.id = m.product_id and p.kind = 'digital'
    )
  )
  select
    b.product_id, b.id, coalesce(sum(b.held), 0), coalesce(sum(b.taken), 0), min(b.since),
    case
      when min(b.created_at) is null then
        'The ledger has taken units for an order that is not there: it was removed by hand.'
      when count(b.held) = 0 then
        'The ledger has taken units for a line that the order does not have: it was removed by hand.'
      when coalesce(sum(b.taken), 0) > sum(b.held) then
        'What the order does not hold is not on the shelf: it was ended, or its lines changed, past the functions.'
      when coalesce(sum(b.taken), 0) = 0 then
        'Nothing was taken from the stock: the order was written, opened again or changed past the functions.'
      else 'Less was taken from the stock than the line holds: it was changed past the functions.'
    end
  from books b
  group by b.product_id, b.id
  having coalesce(sum(b.held), 0) <> coalesce(sum(b.taken), 0)
$$;

-- Owners of slots among these whose slots are not what their row says: another number of them, more granted than there is, or
-- slots of a product that is not there.
--
-- Callers: interlock.find_differences, interlock.correct_slots.
-- Locks: none.
create function interlock.find_slot_differences(p_product_ids uuid[])
returns table (product_id uuid, expected numeric, found numeric, cause text)
language sql
stable
set search_path = ''
as $$
  select
    d.id,
    case when d.slots <> d.counted then d.counted else d.available end,
    case when d.slots <> d.counted then d.slots else d.granted end,
    case
      when d.slots <> d.counted then format('It has %s slots, and its row says %s: one was changed by hand.', d.slots, d.counted)
      else format('Its slots may sell %s units, and it has %s: the stock was changed past the triggers.', d.granted, d.available)
    end
  from (
    select
      a.id, s.slots, s.granted,
      coalesce(p.stock_slots, 0) as counted,
      coalesce(p.available_quantity, 0) as available
    from (select distinct u.id from unnest(p_product_ids) as u (id)) a
    left join interlock.products p on p.id = a.id
    cross join lateral (
      select count(*) as slots, coalesce(sum(c.granted), 0) as granted
      from interlock.counter_slots c
      where c.owner_id = a.id
    ) s
    where not exists (select from interlock.promo_codes o where o.id = a.id)
  ) d
  where d.slots <> d.counted
    or d.granted > d.available
$$;

-- Transfers of stock of which the ledger does not say what their lines say: what was sent and is not back has gone from where
-- they began, and what was received has come to where they end. An id may be that of no transfer: then the ledger has moved
-- something for none. Transfers from before p_kept_since are left out, as rows of the ledger may be gone.
--
-- Callers: interlock.find_differences, interlock.correct_transfer.
-- Locks: none.
create function interlock.find_transfer_differences(p_transfer_ids uuid[], p_kept_since timestamptz default null)
returns table (
  product_id uuid, location_id uuid, transfer_id uuid, expected numeric, found numeric, since timestamptz, cause text
)
language sql
stable
set search_path = ''
as $$
  with asked as (
    select distinct u.id, t.id is not null as is_there, t.from_location_id, t.to_location_id, t.created_at
    from unnest(p_transfer_ids) as u (id)
    left join interlock.stock_transfers t on t.id = u.id
    where (t.created_at < p_kept_since) is not true
  ),
  books as (
    select a.id, a.is_there, a.created_at, l.product_id, a.from_location_id as location_id, l.returned - l.sent as said, null::numeric as moved
    from asked a
    join interlock.stock_transfer_lines l on l.transfer_id = a.id
    union all
    select a.id, a.is_there, a.created_at, l.product_id, a.to_location_id, l.received, null
    from asked a
    join interlock.stock_transfer_lines l on l.transfer_id = a.id
    union all
    select a.id, a.is_there, m.created_at, m.product_id, m.location_id, null, m.delta
    from asked a
    join interlock.stock_movements m on m.reference_id = a.id
  )
  select
    b.product_id, b.location_id, b.id, trim_scale(coalesce(sum(b.said), 0)), trim_scale(coalesce(sum(b.moved), 0)),
    max(b.created_at),
    case
      when not bool_or(b.is_there) then 'The ledger has moved stock for a transfer that is not there: it was removed by hand.'
      else 'The transfer, its lines or the ledger were changed past the functions.'
    end
  from books b
  group by b.product_id, b.location_id, b.id
  having coalesce(sum(b.said), 0) <> coalesce(sum(b.moved), 0)
$$;

-- A finding as the API tells it.
--
-- Callers: interlock.resolve_finding, interlock.accept_finding.
create function interlock.finding_to_json(p_finding interlock.inventory_findings)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_finding.id,
    'kind', p_finding.kind,
    'product_id', p_finding.product_id,
    'location_id', p_finding.location_id,
    'subject_id', p_finding.subject_id,
    'expected', p_finding.expected,
    'found', p_finding.found,
    'size', p_finding.size,
    'since', p_finding.since,
    'cause', p_finding.cause,
    'status', p_finding.status,
    'found_at', p_finding.found_at,
    'decided_at', p_finding.decided_at,
    'reason', p_finding.reason,
    'decided_by', p_finding.decided_by
  );
end
$$;

-- Where a product has movements: from each location to the next in the index, so that none of them is read.
--
-- Callers: interlock.find_ledger_differences.
-- Locks: none.
create function interlock.ledger_locations(p_product_id uuid)
returns setof uuid
language sql
stable
set search_path = ''
as $$
  with recursive found (location_id) as (
    (
      select m.location_id
      from interlock.stock_movements m
      where m.product_id = p_product_id
      order by m.location_id
      limit 1
    )
    union all
    select n.location_id
    from found f
    cross join lateral (
      select m.location_id
      from interlock.stock_movements m
      where m.product_id = p_product_id
        and m.location_id > f.location_id
      order by m.location_id
      limit 1
    ) n
  )
  select f.location_id from found f
$$;

-- Lock a finding that somebody decides on.
--
-- Callers: interlock.resolve_finding, interlock.accept_finding.
-- Locks: the finding, waiting.
-- Errors: FINDING_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_finding(p_finding_id uuid)
returns interlock.inventory_findings
language plpgsql
set search_path = ''
as $$
declare
  v_finding interlock.inventory_findings;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select f.* into v_finding from interlock.inventory_findings f where f.id = p_finding_id for no key update;
  if not found then
    perform interlock.raise_error('FINDING_NOT_FOUND', jsonb_build_object('finding_id', p_finding_id));
  end if;
  return v_finding;
end
$$;

-- What public.resolve_finding does, with its owner's rights: correct what an audit has found, with a reason that stands in the
-- ledger. What is on the shelf is the truth for the ledger, and what an order or a reservation holds for what was taken. A
-- finding that is gone by now is resolved as well; one that is resolved already is answered again, and nothing is done.
--
-- Callers: authenticated (staff) and service_role, through public.resolve_finding.
-- Locks: the finding; then as its kind says: account and order, reservation, counter of open orders, transfer, sale, rows
--   of inventory, stock rows, slots, codes.
--   All waits together last two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, FINDING_NOT_FOUND, FINDING_NOT_CORRECTABLE (it is there still),
--   INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, PRODUCT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write the ledger, and staff none to write stock.
create function interlock.resolve_finding(p_finding_id uuid, p_reason text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_finding interlock.inventory_findings;
  v_is_left boolean;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  if p_finding_id is null then
    v_problems := v_problems || interlock.problem('/p_finding_id', 'is required');
  end if;
  if interlock.is_line(p_reason, 100) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 100 characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_finding := interlock.lock_finding(p_finding_id);
  if v_finding.status = 'resolved' then
    return jsonb_build_object('success', true, 'finding', interlock.finding_to_json(v_finding));
  end if;

  begin
    case v_finding.kind
      when 'ledger' then
        perform interlock.correct_ledger(v_finding.product_id, v_finding.location_id, p_reason, 'finding ' || v_finding.id);
      when 'sales' then
        perform interlock.correct_sale(v_finding.subject_id, v_finding.product_id, p_reason);
      when 'reservations' then
        perform interlock.correct_reservation(v_finding.subject_id, v_finding.product_id, p_reason);
      when 'open_orders' then
        perform interlock.correct_open_orders(v_finding.subject_id);
      when 'codes' then
        perform interlock.correct_codes(v_finding.product_id, v_finding.subject_id, p_reason);
      when 'slots' then
        perform interlock.correct_slots(v_finding.product_id);
      when 'transfers' then
        perform interlock.correct_transfer(v_finding.subject_id, v_finding.product_id, v_finding.location_id, p_reason);
      when 'oversold_offline' then
        perform interlock.correct_shortfall(v_finding.subject_id, v_finding.product_id, p_reason);
      when 'picked_short' then
        perform interlock.correct_short_pick(v_finding.subject_id, v_finding.product_id);
      when 'till_sales' then
        perform interlock.correct_till_sale(v_finding.subject_id, v_finding.product_id, v_finding.location_id, p_reason);
      -- Money that was taken or not, and numbers that were given out, are for people to look at.
      else
    end case;

    v_is_left := exists (
      select
      from interlock.find_differences(
        array[v_finding.product_id], array[v_finding.subject_id], array[v_finding.subject_id], array[v_finding.subject_id],
        array[v_finding.subject_id], array[v_finding.subject_id], array[v_finding.subject_id]
      ) d
      where d.kind = v_finding.kind
        and d.product_id is not distinct from v_finding.product_id
        and d.location_id is not distinct from v_finding.location_id
        and d.subject_id is not distinct from v_finding.subject_id
    );
  exception
    when check_violation then
      v_is_left := true;
  end;
  if v_is_left then
    perform interlock.raise_error('FINDING_NOT_CORRECTABLE', jsonb_build_object(
      'finding_id', v_finding.id, 'kind', v_finding.kind, 'cause', v_finding.cause
    ));
  end if;

  update interlock.inventory_findings f
  set status = 'resolved',
      decided_at = clock_timestamp(),
      reason = p_reason,
      decided_by = null,
      actor = auth.uid()
  where f.id = p_finding_id
  returning f.* into v_finding;
  return jsonb_build_object('success', true, 'finding', interlock.finding_to_json(v_finding));
end
$$;

create function public.accept_finding(p_finding_id uuid, p_reason text, p_name text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.accept_finding(p_finding_id, p_reason, p_name);
end
$$;

comment on function public.accept_finding(uuid, text, text) is
  'Lets be what an audit of the stock has found, by name, as long as its size stays the same. For staff and the service role.';

create function public.audit_inventory(p_full boolean default false)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.audit_inventory(p_full);
end
$$;

comment on function public.audit_inventory(boolean) is
  'Compares the books of the stock and files what does not agree in inventory_findings: of what has moved since the audit before, or of everything (p_full). For the service role.';

create function public.resolve_finding(p_finding_id uuid, p_reason text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.resolve_finding(p_finding_id, p_reason);
end
$$;

comment on function public.resolve_finding(uuid, text) is
  'Corrects what an audit of the stock has found, with a reason that stands in the ledger. For staff and the service role.';

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.accept_finding is
  'What public.accept_finding does, with its owner''s rights: let a difference be, by name, as long as its size stays the same.';
comment on function interlock.audit_inventory is
  'What public.audit_inventory does, with its owner''s rights: compare the books of the stock with each other, and file what does not agree.';
comment on function interlock.correct_codes is
  'Without an order: set the stock of a digital product to the number of its free codes.';
comment on function interlock.correct_ledger is
  'Write into the ledger of a product at a location what it lacks of the stock that is there: what is on the shelf is the truth.';
comment on function interlock.correct_open_orders is
  'Set the counter of a customer''s open orders to what they come to.';
comment on function interlock.correct_reservation is
  'Take from the stock what a reservation holds and the ledger has not taken for it, or give back what it has taken too much.';
comment on function interlock.correct_sale is
  'Take from the stock what a line of an order holds and the ledger has not taken, or give back what it has taken too much.';
comment on function interlock.correct_slots is
  'Make the slots of a product anew: as many as its row says, with what it has shared out.';
comment on function interlock.correct_transfer is
  'Bring the stock of a location to what the lines of a transfer say: what the ledger has moved too little for it, or too much.';
comment on function interlock.explain_ledger is
  'Since when the ledger of a product at a location has not added up to its stock there, and what has probably happened.';
comment on function interlock.find_code_differences is
  'Digital products of these whose stock is not the number of their free codes; orders of these that have not the codes they bought, or have ended and keep codes that nobody has seen.';
comment on function interlock.find_differences is
  'Every difference between the books that these products, orders, reservations, customers, transfers, sales at tills (or picking sessions: their ids stand among those of the sales) and registers are in.';
comment on function interlock.find_ledger_differences is
  'Products of these whose ledger at a location does not add up to their stock there, less what is owed.';
comment on function interlock.find_open_order_differences is
  'Customers of these whose counter of open orders (interlock.customer_open_orders) is not what their open orders and their reservation come to.';
comment on function interlock.find_reservation_differences is
  'Reservations of these ids of which the ledger has not taken what they hold.';
comment on function interlock.find_sale_differences is
  'Lines of these orders of which the ledger has not taken as much as they hold: units that were sold, less those that came back.';
comment on function interlock.find_slot_differences is
  'Owners of slots among these whose slots are not what their row says: another number of them, more granted than there is, or slots of a product that is not there.';
comment on function interlock.find_transfer_differences is
  'Transfers of stock of which the ledger does not say what their lines say: what was sent and is not back has gone from where they began, and what was received has come to where they end.';
comment on function interlock.finding_to_json is
  'A finding as the API tells it.';
comment on function interlock.ledger_locations is
  'Where a product has movements: from each location to the next in the index, so that none of them is read.';
comment on function interlock.lock_finding is
  'Lock a finding that somebody decides on.';
comment on function interlock.resolve_finding is
  'What public.resolve_finding does, with its owner''s rights: correct what an audit has found, with a reason that stands in the ledger.';

-- Who may call what of audits. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.accept_finding(uuid, text, text),
  public.audit_inventory(boolean),
  public.resolve_finding(uuid, text)
from public, anon, authenticated, service_role;

grant execute on function
  -- Staff by token; anybody else is refused.
  public.accept_finding(uuid, text, text), interlock.accept_finding,
  public.resolve_finding(uuid, text), interlock.resolve_finding
to authenticated, service_role;

grant execute on function
  public.audit_inventory(boolean), interlock.audit_inventory
to service_role;

-- What staff and the shop read of audits over REST, each where its name is free in public (interlock.expose).
select interlock.expose('inventory_audits');
select interlock.expose('inventory_findings');
