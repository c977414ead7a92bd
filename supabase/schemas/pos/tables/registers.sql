-- Registers: the tills of a shop. Each stands at a location and sells from its stock; one at the online location sells from
-- the very rows that the web shop sells from.
--
-- `last_receipt` numbers the receipts of a register without gaps: it is counted up by the sale itself, under the row's lock, which is the
-- last that a sale takes. A sale that is rolled back takes its number back with it. The same lock stands between a sale and the
-- closing of its shift.
create table interlock.registers (
  id uuid not null default interlock.new_id()
    constraint registers_pkey primary key,
  location_id uuid not null
    constraint registers_location_id_fkey references interlock.locations,
  name interlock.label not null,
  currency interlock.currency_code not null,
  receipt_prefix interlock.receipt_prefix
    constraint registers_receipt_prefix_key unique,
  active boolean not null default true,
  last_receipt interlock.receipt_count not null default 0,
  created_at timestamptz not null default now()
)
with (fillfactor = 50);

comment on table interlock.registers is
  'The tills of a shop. Managed by the shop with the service role; who works at a till reads them.';
comment on column interlock.registers.id is
  'Made by new_id where none is given: ordered by time.';
comment on column interlock.registers.location_id is
  'Where it stands, and whose stock it sells: that of the web shop at the online location. Over the API it never changes.';
comment on column interlock.registers.name is
  'As people read it.';
comment on column interlock.registers.currency is
  'ISO 4217 code of what its drawer holds. It sells products of this currency.';
comment on column interlock.registers.receipt_prefix is
  'What its receipts begin with, as people read them: S1 makes S1-000042.';
comment on column interlock.registers.active is
  'An inactive one (false) opens no shift.';
comment on column interlock.registers.last_receipt is
  'The number of its last receipt. Counted by sales only.';

comment on column interlock.registers.created_at is
  'When it was added.';

create index registers_by_location on interlock.registers (location_id);

alter table interlock.registers enable row level security;

grant select on table interlock.registers to authenticated;
grant select, delete on table interlock.registers to service_role;
grant
  insert (id, location_id, name, currency, receipt_prefix, active),
  update (name, receipt_prefix, active)
  on table interlock.registers to service_role;

create policy registers_select_till
  on interlock.registers
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);
