-- The history of picking sessions: what was picked, packed and taken out, by whom. Append-only; interlock.purge_history removes
-- old rows of sessions that have ended (settings.keep_packing_scans). There is no foreign key to the session: every scan would lock its row.
create table interlock.packing_scans (
  id bigint not null default nextval('interlock.event_position'),
  picking_session_id uuid not null,
  order_id uuid,
  product_id uuid,
  action interlock.packing_action not null,
  quantity interlock.unit_change,
  actor uuid,
  created_at timestamptz not null default now(),
  quantity_packed int,
  quantity_needed int,
  quantity_short int,
  version bigint,
  transaction xid8 not null default pg_current_xact_id(),
  constraint packing_scans_pkey primary key (picking_session_id, id)
);

comment on table interlock.packing_scans is
  'What was done in picking sessions, and by whom. Append-only.';
comment on column interlock.packing_scans.order_id is
  'The box; empty for what was picked.';
comment on column interlock.packing_scans.product_id is
  'The product; empty for what is done with an order as a whole.';
comment on column interlock.packing_scans.action is
  'pick, short_pick, put_back, pack, unpack, short, take_out (of an order that has left the session) or complete.';
comment on column interlock.packing_scans.quantity is
  'How many units; less than 0 for what was taken out again. Empty for an order as a whole.';
comment on column interlock.packing_scans.actor is
  'Who did it; empty for the shop''s own code.';
comment on column interlock.packing_scans.quantity_packed is
  'What was packed of the line after it; empty for what is not done with a line.';
comment on column interlock.packing_scans.quantity_needed is
  'What the line needed.';
comment on column interlock.packing_scans.quantity_short is
  'What of it was told not to be there.';
comment on column interlock.packing_scans.version is
  'The line''s version after it.';
comment on column interlock.packing_scans.transaction is
  'The transaction that wrote it, by which interlock.make_deliveries knows whether it has seen it.';

-- What is to be told outside: interlock.events.
create index packing_scans_by_transaction on interlock.packing_scans (transaction, id);

create trigger packing_scans_guard
  before insert on interlock.packing_scans
  for each row
  execute function interlock.guard_scan();

create trigger packing_scans_append_only
  before update or delete on interlock.packing_scans
  for each row
  execute function interlock.refuse_change('actor');

create trigger packing_scans_no_truncate
  before truncate on interlock.packing_scans
  for each statement
  execute function interlock.refuse_change();

alter table interlock.packing_scans enable row level security;

grant select on table interlock.packing_scans to authenticated, service_role;

create policy packing_scans_select_workers
  on interlock.packing_scans
  for select
  to authenticated
  using (picking_session_id in (select s.id from interlock.picking_sessions s));
