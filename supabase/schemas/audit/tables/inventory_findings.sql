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
