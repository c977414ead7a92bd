-- The history of orders, append-only, written by a trigger on orders, and by interlock.correct_order.
create table interlock.order_events (
  id bigint not null default nextval('interlock.event_position'),
  order_id uuid not null
    constraint order_events_order_id_fkey references interlock.orders (id),
  event interlock.order_event not null,
  tracking interlock.label,
  actor uuid,
  created_at timestamptz not null default now(),
  transaction xid8 not null default pg_current_xact_id(),
  request_id interlock.label default interlock.request_id(),
  -- The history of one order is read in this order.
  constraint order_events_pkey primary key (order_id, id)
) partition by range (id);

-- What interlock.make_history_parts goes on from, and what takes rows that no part is there for.
create table interlock_parts.order_events_0 partition of interlock.order_events for values from (minvalue) to (5000000);
create table interlock_parts.order_events_rest partition of interlock.order_events default;

alter table interlock_parts.order_events_0 enable row level security;
alter table interlock_parts.order_events_rest enable row level security;

create trigger order_events_no_truncate
  before truncate on interlock_parts.order_events_0
  for each statement
  execute function interlock.refuse_change();

create trigger order_events_no_truncate
  before truncate on interlock_parts.order_events_rest
  for each statement
  execute function interlock.refuse_change();

comment on table interlock.order_events is
  'Append-only history of orders, written by a trigger: each status an order came to, payment proofs, and corrections of its details.';
comment on column interlock.order_events.tracking is
  'With shipped and tracking_changed: the tracking number from then on.';
comment on column interlock.order_events.transaction is
  'The transaction that wrote it, by which interlock.make_deliveries knows whether it has seen it.';
comment on column interlock.order_events.actor is
  'The signed-in user who did it; empty for the shop and for jobs.';
comment on column interlock.order_events.request_id is
  'The request that did it, as the log of the function calls it; empty for what no function has asked for.';

-- What is to be told outside: interlock.events.
create index order_events_by_transaction on interlock.order_events (transaction, id);

-- From a line of a log to its order. A summary of each few pages, which a sale does not write to.
create index order_events_by_request on interlock.order_events
  using brin (request_id text_bloom_ops) with (pages_per_range = 32);

create trigger order_events_append_only
  before update or delete on interlock.order_events
  for each row
  execute function interlock.refuse_change('actor');

create trigger order_events_no_truncate
  before truncate on interlock.order_events
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_events enable row level security;

grant select on table interlock.order_events to authenticated, service_role;

create policy order_events_select_own
  on interlock.order_events
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));
