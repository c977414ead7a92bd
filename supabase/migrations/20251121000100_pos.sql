-- Tills: registers, shifts, sales.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- Who buys at a till, and what they pay with beside cash and cards, or are paid out in. Their points are locked, and the wallet if it
-- is named.
create type interlock.buyer as (
  customer_id uuid,
  user_id uuid,
  -- The tier they had.
  tier text,
  -- Minor units.
  by_points bigint,
  by_wallet bigint
);

-- Whether a text is what a scanner reads: 1 to 64 printable ASCII characters without blanks. The functions ask the same
-- (crates/domain/src/fields.rs).
--
-- Callers: domain interlock.barcode; interlock.find_sale_problems, interlock.find_return_problems, interlock.find_scan_problems.
-- Locks: none.
create function interlock.is_barcode(p_text text)
returns boolean
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
begin
  return char_length(p_text) <= 64 and p_text ~ '^[\x21-\x7e]+$';
end
$$;

-- What a look at the lines of a sale, without a lock, has seen: one element for each line, in their order.
create type interlock.sale_look as (
  product_ids uuid[],
  inventory_ids uuid[],
  names text[],
  quantities numeric[],
  unit_prices bigint[],
  -- quantity × unit_price, half a minor unit rounded up.
  subtotals bigint[],
  discounts bigint[],
  reasons text[],
  untracked boolean[],
  -- Each once.
  currencies text[],
  -- What is not there: barcodes, ids of inventory, products (also those that are not for sale), stock of another location.
  no_barcodes jsonb,
  no_inventory jsonb,
  no_products jsonb,
  elsewhere jsonb,
  -- What cannot be sold as it was asked for, each with its pointer.
  problems jsonb,
  -- The highest share of a line's price that is taken off, in per cent.
  discount_percent numeric,
  -- As INSUFFICIENT_INVENTORY tells them.
  shortages jsonb
);

-- How a sale at a till is paid.
create domain interlock.tender_type as text
  constraint sale_tenders_type_known check (value in ('cash', 'card', 'wallet', 'points'));

create domain interlock.sale_status as text
  constraint sales_status_known check (value in ('completed', 'voided'));

-- Cash that is put into a drawer or taken out of it beside sales.
create domain interlock.cash_movement_kind as text
  constraint cash_movements_kind_known check (value in ('paid_in', 'paid_out'));

-- How many receipts there have been.
create domain interlock.receipt_count as bigint
  constraint receipt_count_nonnegative check (value >= 0);

-- What a receipt number begins with.
create domain interlock.receipt_prefix as text
  constraint registers_receipt_prefix_format check (value ~ '^[A-Z0-9-]+$' and char_length(value) <= 10);

-- What a scanner reads.
create domain interlock.barcode as text
  constraint product_barcodes_barcode_format check (interlock.is_barcode(value));

create domain interlock.parked_sale_status as text
  constraint parked_sales_status_known check (value in ('parked', 'resumed', 'sold', 'discarded', 'expired'));

-- What a manager allows.
create domain interlock.approval_actions as text[]
  constraint sale_approvals_actions_known
  check (value <@ array['discount', 'return_without_receipt', 'void'] and cardinality(value) > 0);

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

-- Shifts: the time in which a drawer is somebody's. A register has one open shift at most (shifts_one_open_per_register).
--
-- A shift changes and its sales are written under its register's row lock, so what is closed is added up whole: a sale that comes
-- later finds it closed.
create table interlock.shifts (
  id uuid not null default interlock.new_id()
    constraint shifts_pkey primary key,
  register_id uuid not null
    constraint shifts_register_id_fkey references interlock.registers,
  opened_at timestamptz not null default now(),
  opened_by uuid,
  opening_cash interlock.amount not null,
  closed_at timestamptz,
  closed_by uuid,
  counted_cash interlock.amount,
  expected_cash bigint,
  report jsonb,
  constraint shifts_closed_whole check (
    case when closed_at is null then num_nonnulls(closed_by, counted_cash, expected_cash, report) = 0
    else num_nulls(counted_cash, expected_cash, report) = 0 and closed_at >= opened_at end
  )
);

comment on table interlock.shifts is
  'The shifts of registers: who had the drawer, from when to when, what was in it. Read by whoever works at a till.';
comment on column interlock.shifts.opened_by is
  'Who opened it; empty for the shop itself.';
comment on column interlock.shifts.opening_cash is
  'What was in the drawer at first, in minor units of the register''s currency.';
comment on column interlock.shifts.closed_by is
  'Who closed it, at the till or from afar; empty for the shop itself.';
comment on column interlock.shifts.counted_cash is
  'What was counted in the drawer when it was closed, in minor units.';
comment on column interlock.shifts.expected_cash is
  'What had to be in it then: opening cash, cash that was taken less change and refunds, and what was put in or taken out.';
comment on column interlock.shifts.report is
  'The closing report, as it was answered.';

create unique index shifts_one_open_per_register on interlock.shifts (register_id) where closed_at is null;
create index shifts_by_register on interlock.shifts (register_id, opened_at);

alter table interlock.shifts enable row level security;

grant select on table interlock.shifts to authenticated, service_role;

create policy shifts_select_till
  on interlock.shifts
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- Sales at tills. Written by public.pos_sale in one transaction with everything that belongs to it; append-only but for what
-- a void says (public.void_sale).
--
-- `total` is what the customer had to pay: subtotal − discount + tax − tax_included − returned. The tenders sum to total +
-- change_due. Where more comes back than is sold it is below nothing, and the tenders, which sum to −total, were paid out.
create table interlock.sales (
  id uuid not null
    constraint sales_pkey primary key,
  register_id uuid not null
    constraint sales_register_id_fkey references interlock.registers,
  shift_id uuid not null
    constraint sales_shift_id_fkey references interlock.shifts,
  location_id uuid not null,
  receipt_number bigint not null,
  status interlock.sale_status not null default 'completed',
  currency interlock.currency_code not null,
  subtotal interlock.amount not null,
  discount interlock.amount not null,
  tax interlock.amount not null,
  tax_included interlock.amount not null,
  returned interlock.amount not null default 0,
  returns int not null default 0,
  root_sale_id uuid
    constraint sales_root_sale_id_fkey references interlock.sales,
  total bigint not null,
  change_due interlock.amount not null default 0,
  customer_id uuid
    constraint sales_customer_id_fkey references interlock.customers,
  promo_code interlock.label,
  loyalty jsonb,
  cashier uuid,
  approved_by uuid,
  sold_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  offline boolean not null default false,
  late boolean not null default false,
  needs_review jsonb not null default '[]',
  voided_at timestamptz,
  voided_by uuid,
  void_reason interlock.label,
  constraint sales_receipt_number_key unique (register_id, receipt_number),
  constraint sales_total_adds_up check (total = subtotal - discount + tax - tax_included - returned),
  constraint sales_late_offline check (offline or not late),
  constraint sales_void_whole check (
    case status when 'voided' then num_nulls(voided_at, void_reason) = 0
    else num_nonnulls(voided_at, voided_by, void_reason) = 0 end
  )
);

comment on table interlock.sales is
  'Sales at tills. Written by pos_sale and void_sale only; amounts are minor units.';
comment on column interlock.sales.receipt_number is
  'Numbers the sales of a register, without gaps.';
comment on column interlock.sales.total is
  'What the customer had to pay; below nothing what was paid out to them.';
comment on column interlock.sales.returned is
  'What the goods that came back were worth.';
comment on column interlock.sales.returns is
  'How many rows of sale_returns it has.';
comment on column interlock.sales.root_sale_id is
  'The sale with which it began: the one whose goods came back, or of an exchange of an exchange the first of all. What was paid for all of these limits what is paid out.';
comment on column interlock.sales.change_due is
  'What was given back of the cash.';
comment on column interlock.sales.customer_id is
  'Who bought; empty for a walk-in.';
comment on column interlock.sales.promo_code is
  'The code that took off the promo_discount of its lines.';
comment on column interlock.sales.loyalty is
  'Points that it earned, spent, gave and took back, and the balance and tiers it left, as it was answered.';
comment on column interlock.sales.cashier is
  'Who sold; empty for the shop''s own code.';
comment on column interlock.sales.approved_by is
  'Which manager allowed what the cashier may not do, in the sale or in its void.';
comment on column interlock.sales.sold_at is
  'When it was sold: by its own clock, if the till was cut off.';
comment on column interlock.sales.recorded_at is
  'When it came.';
comment on column interlock.sales.offline is
  'Whether it was sold by a till that was cut off.';
comment on column interlock.sales.late is
  'Whether it came when its shift was closed: it is not in the closing report (shift_corrections).';
comment on column interlock.sales.needs_review is
  'What somebody should look at, because the database would have said something else: line and reason.';

create index sales_by_shift on interlock.sales (shift_id);
create index sales_by_customer on interlock.sales (customer_id) where customer_id is not null;
create index sales_by_root on interlock.sales (root_sale_id) where root_sale_id is not null;

create trigger sales_append_only
  before update of
    id, register_id, shift_id, location_id, receipt_number, currency, subtotal, discount, tax, tax_included, returned, returns,
    root_sale_id, total, change_due, sold_at, recorded_at, offline, late, needs_review
  or delete on interlock.sales
  for each row
  execute function interlock.refuse_change();

create trigger sales_no_truncate
  before truncate on interlock.sales
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sales enable row level security;

grant select on table interlock.sales to authenticated, service_role;

create policy sales_select_till
  on interlock.sales
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- Lines of sales at tills, as they were sold; append-only but for what of a line has come back since (public.pos_sale with returns),
-- which is counted under the lock of its sale.
create table interlock.sale_lines (
  sale_id uuid not null
    constraint sale_lines_sale_id_fkey references interlock.sales,
  line int not null,
  product_id uuid not null,
  inventory_id uuid,
  name text not null,
  quantity interlock.positive_quantity not null,
  unit_price interlock.amount not null,
  subtotal interlock.amount not null,
  discount interlock.amount not null default 0,
  discount_reason interlock.label,
  promo_discount interlock.amount not null default 0,
  tax interlock.amount not null default 0,
  tax_percent numeric,
  tax_inclusive boolean,
  total interlock.amount not null,
  untracked boolean not null default false,
  returned_quantity numeric not null default 0,
  returned_amount interlock.amount not null default 0,
  returned_tax interlock.amount not null default 0,
  constraint sale_lines_pkey primary key (sale_id, line),
  constraint sale_lines_total_adds_up check (
    total = subtotal - discount - promo_discount + case when tax_inclusive then 0 else tax end
  ),
  constraint sale_lines_returned_within_sold check (
    returned_quantity between 0 and quantity and returned_amount <= total and returned_tax <= tax
  )
);

comment on table interlock.sale_lines is
  'Lines of sales at tills: price, discount and tax as they were when it was sold. Append-only, but for what has come back of a line since.';
comment on column interlock.sale_lines.line is
  'Counted from 0, as it was sent.';
comment on column interlock.sale_lines.inventory_id is
  'The stock that it was sold from: a row of inventory, or the product for the stock of the web shop. Empty for an untracked product that has never been there.';
comment on column interlock.sale_lines.subtotal is
  'quantity × unit_price, half a minor unit rounded up.';
comment on column interlock.sale_lines.discount is
  'What the cashier took off, with discount_reason.';
comment on column interlock.sale_lines.promo_discount is
  'Its share of what the promo code took off.';
comment on column interlock.sale_lines.untracked is
  'Whether it took nothing from the stock, because the product was untracked.';

comment on column interlock.sale_lines.returned_quantity is
  'How much of it has come back, by returns that were not voided.';
comment on column interlock.sale_lines.returned_amount is
  'What was given back for that, with tax.';
comment on column interlock.sale_lines.returned_tax is
  'The tax in returned_amount.';

create index sale_lines_by_product on interlock.sale_lines (product_id);

create trigger sale_lines_append_only
  before update of
    sale_id, line, product_id, inventory_id, name, quantity, unit_price, subtotal, discount, discount_reason, promo_discount,
    tax, tax_percent, tax_inclusive, total, untracked
  or delete on interlock.sale_lines
  for each row
  execute function interlock.refuse_change();

create trigger sale_lines_no_truncate
  before truncate on interlock.sale_lines
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sale_lines enable row level security;

grant select on table interlock.sale_lines to authenticated, service_role;

create policy sale_lines_select_till
  on interlock.sale_lines
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- Cash that is put into a drawer or taken out of it beside sales; append-only, written by public.move_cash.
create table interlock.cash_movements (
  id uuid not null default interlock.new_id()
    constraint cash_movements_pkey primary key,
  shift_id uuid not null
    constraint cash_movements_shift_id_fkey references interlock.shifts,
  kind interlock.cash_movement_kind not null,
  amount interlock.positive_amount not null,
  reason interlock.label not null,
  actor uuid,
  created_at timestamptz not null default now()
);

comment on table interlock.cash_movements is
  'Cash that is put into a drawer (paid_in) or taken out of it (paid_out) beside sales. Append-only.';
comment on column interlock.cash_movements.amount is
  'Minor units of the register''s currency.';
comment on column interlock.cash_movements.actor is
  'Who did it; empty for the shop itself.';

create index cash_movements_by_shift on interlock.cash_movements (shift_id);

create trigger cash_movements_append_only
  before update or delete on interlock.cash_movements
  for each row
  execute function interlock.refuse_change('actor');

create trigger cash_movements_no_truncate
  before truncate on interlock.cash_movements
  for each statement
  execute function interlock.refuse_change();

alter table interlock.cash_movements enable row level security;

grant select on table interlock.cash_movements to authenticated, service_role;

create policy cash_movements_select_till
  on interlock.cash_movements
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- Sales that wait: a cart that a till has put aside, for itself or for another till of its location. Parked sales outlive shifts.
--
-- One that holds has taken its goods out of the stock (`held_product_ids`, `held_quantities`), until it is sold, discarded or
-- expires. Whoever changes one locks its row. A till that resumes it has it alone until it parks it again, sells it or lets it go.
create table interlock.parked_sales (
  id uuid not null default interlock.new_id()
    constraint parked_sales_pkey primary key,
  location_id uuid not null
    constraint parked_sales_location_id_fkey references interlock.locations,
  register_id uuid not null
    constraint parked_sales_register_id_fkey references interlock.registers,
  name interlock.label not null,
  lines jsonb not null,
  customer_id uuid
    constraint parked_sales_customer_id_fkey references interlock.customers,
  hold boolean not null,
  held_product_ids uuid[] not null default '{}',
  held_quantities numeric[] not null default '{}',
  status interlock.parked_sale_status not null default 'parked',
  parked_at timestamptz not null default now(),
  parked_by uuid,
  expires_at timestamptz,
  resumed_at timestamptz,
  ended_at timestamptz,
  sale_id uuid
    constraint parked_sales_sale_id_fkey references interlock.sales,
  constraint parked_sales_ended_whole check ((status in ('parked', 'resumed')) = (ended_at is null)),
  constraint parked_sales_ended_hold_nothing check (ended_at is null or held_product_ids = '{}')
);

comment on table interlock.parked_sales is
  'Sales that tills have put aside. Written by park_sale, resume_parked_sale, discard_parked_sale, pos_sale and the job expire-parked-sales.';
comment on column interlock.parked_sales.location_id is
  'Whose tills may resume it.';
comment on column interlock.parked_sales.register_id is
  'The till that has parked it, or that has resumed it since.';
comment on column interlock.parked_sales.name is
  'What people call it by.';
comment on column interlock.parked_sales.lines is
  'The lines, as they were sent.';
comment on column interlock.parked_sales.hold is
  'Whether its goods are kept for it.';
comment on column interlock.parked_sales.held_product_ids is
  'The products of which something is out of the stock for it.';
comment on column interlock.parked_sales.held_quantities is
  'How much of each.';
comment on column interlock.parked_sales.parked_by is
  'Who parked it; empty for the shop''s own code.';
comment on column interlock.parked_sales.expires_at is
  'When it ends by itself; empty for never.';
comment on column interlock.parked_sales.resumed_at is
  'Since when register_id has it; empty while it waits.';
comment on column interlock.parked_sales.sale_id is
  'The sale that it has become.';

create index parked_sales_open on interlock.parked_sales (location_id, parked_at) where ended_at is null;
create index parked_sales_due on interlock.parked_sales (expires_at) where ended_at is null;

alter table interlock.parked_sales enable row level security;

grant select on table interlock.parked_sales to authenticated, service_role;

create policy parked_sales_select_till
  on interlock.parked_sales
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- Barcodes: what a scanner reads, and how much of which product that is (a case of twelve is twelve).
create table interlock.product_barcodes (
  barcode interlock.barcode not null
    constraint product_barcodes_pkey primary key,
  product_id uuid not null
    constraint product_barcodes_product_id_fkey references interlock.products on delete cascade,
  units interlock.positive_quantity not null default 1
);

comment on table interlock.product_barcodes is
  'What a scanner reads, and which product that is. Managed by the shop with the service role.';
comment on column interlock.product_barcodes.barcode is
  'What the scanner reads: 1 to 64 printable ASCII characters without blanks.';
comment on column interlock.product_barcodes.product_id is
  'The product.';
comment on column interlock.product_barcodes.units is
  'How much of the product one scan is.';

create index product_barcodes_by_product on interlock.product_barcodes (product_id);

alter table interlock.product_barcodes enable row level security;

grant select on table interlock.product_barcodes to authenticated;
grant select, insert, update, delete on table interlock.product_barcodes to service_role;

create policy product_barcodes_select_till
  on interlock.product_barcodes
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- What managers have allowed at a till (public.approve_sale): used once, within five minutes, at that register.
create table interlock.sale_approvals (
  id uuid not null default interlock.new_id()
    constraint sale_approvals_pkey primary key,
  register_id uuid not null
    constraint sale_approvals_register_id_fkey references interlock.registers,
  actions interlock.approval_actions not null,
  reason interlock.label not null,
  approved_by uuid,
  approved_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  sale_id uuid
);

comment on table interlock.sale_approvals is
  'What managers have allowed at a till, each to be used once. Written by approve_sale, pos_sale and void_sale.';
comment on column interlock.sale_approvals.actions is
  'What is allowed: a discount beyond a cashier''s limit, a return without a receipt, the void of somebody else''s sale.';
comment on column interlock.sale_approvals.approved_by is
  'Who allowed it; empty for the shop itself.';
comment on column interlock.sale_approvals.used_at is
  'When it was used, for sale_id.';

alter table interlock.sale_approvals enable row level security;

grant select on table interlock.sale_approvals to authenticated, service_role;

create policy sale_approvals_select_till
  on interlock.sale_approvals
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- Keys of sales at tills, with what was answered. A till makes the key of a sale, and it counts for that register for ever,
-- whoever sends it: a queue is replayed days later, by another cashier, from two tabs, after a backup was restored.
--
-- A sale takes its key before it locks anything else (interlock.begin_sale) and stores its answer in the same transaction, so
-- a twin waits for the first and gets what it answered. A refusal stores nothing: the row goes with the transaction.
create table interlock.sale_keys (
  register_id uuid not null,
  key interlock.idempotency_key not null,
  request_hash bytea not null,
  -- Of a till that was cut off.
  client_time timestamptz,
  -- Both empty only inside the transaction that is selling.
  sale_id uuid
    constraint sale_keys_sale_id_fkey references interlock.sales,
  answer text,
  constraint sale_keys_pkey primary key (register_id, key)
)
with (fillfactor = 80);

comment on table interlock.sale_keys is
  'The keys under which tills have sold, for ever, with what was answered: a sale that is sent again is answered, not sold again.';
comment on column interlock.sale_keys.request_hash is
  'SHA-256 of the sale: the same key with another one is refused.';
comment on column interlock.sale_keys.client_time is
  'When it was sold, if the till was cut off then.';
comment on column interlock.sale_keys.answer is
  'What was answered, and is answered again.';

create index sale_keys_by_sale on interlock.sale_keys (sale_id);

create trigger sale_keys_kept
  before delete on interlock.sale_keys
  for each row
  execute function interlock.refuse_change();

create trigger sale_keys_no_truncate
  before truncate on interlock.sale_keys
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sale_keys enable row level security;

-- What came back to tills, with a receipt or without; append-only. A row belongs to the sale (of nothing else, or of what it was
-- exchanged for) at which it came back, and is void with it.
create table interlock.sale_returns (
  sale_id uuid not null
    constraint sale_returns_sale_id_fkey references interlock.sales,
  n int not null,
  original_sale_id uuid,
  original_line int,
  product_id uuid not null,
  inventory_id uuid,
  name text not null,
  quantity interlock.positive_quantity not null,
  unit_price interlock.amount not null,
  tax interlock.amount not null default 0,
  amount interlock.amount not null,
  restock boolean not null,
  reason interlock.label not null,
  constraint sale_returns_pkey primary key (sale_id, n),
  constraint sale_returns_original_fkey
    foreign key (original_sale_id, original_line) references interlock.sale_lines (sale_id, line) match full
);

comment on table interlock.sale_returns is
  'What came back to tills. Append-only; void with its sale.';
comment on column interlock.sale_returns.sale_id is
  'The sale at which it came back.';
comment on column interlock.sale_returns.n is
  'Counted from 0, as it was sent.';
comment on column interlock.sale_returns.original_sale_id is
  'The sale by which it was sold; empty without a receipt.';
comment on column interlock.sale_returns.original_line is
  'The line of that sale.';
comment on column interlock.sale_returns.inventory_id is
  'The stock to which it went back: a row of inventory, or the product for the stock of the web shop. Empty if it went to none.';
comment on column interlock.sale_returns.unit_price is
  'What a unit was sold for; without a receipt the price at that time.';
comment on column interlock.sale_returns.tax is
  'The tax in amount.';
comment on column interlock.sale_returns.amount is
  'What it was worth, with tax: its share of what the line had cost.';
comment on column interlock.sale_returns.restock is
  'Whether it was to go back to the stock; what is damaged is not.';

create index sale_returns_by_original on interlock.sale_returns (original_sale_id, original_line) where original_sale_id is not null;
create index sale_returns_by_product on interlock.sale_returns (product_id);

create trigger sale_returns_append_only
  before update or delete on interlock.sale_returns
  for each row
  execute function interlock.refuse_change();

create trigger sale_returns_no_truncate
  before truncate on interlock.sale_returns
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sale_returns enable row level security;

grant select on table interlock.sale_returns to authenticated, service_role;

create policy sale_returns_select_till
  on interlock.sale_returns
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- What tills that were cut off have sold of stock that was not there. The goods have left the shop, so the sale is a fact: what was
-- there was taken, and the rest stands here. Written by public.pos_sale; append-only but for taken_at.
--
-- An audit files each as a finding (oversold_offline). Resolving that takes the rest from the stock, once it is there.
create table interlock.sale_shortfalls (
  sale_id uuid not null
    constraint sale_shortfalls_sale_id_fkey references interlock.sales,
  product_id uuid not null,
  location_id uuid not null,
  inventory_id uuid,
  sold interlock.positive_quantity not null,
  quantity interlock.positive_quantity not null,
  taken_at timestamptz,
  constraint sale_shortfalls_pkey primary key (sale_id, product_id),
  constraint sale_shortfalls_of_sold check (quantity <= sold)
);

comment on table interlock.sale_shortfalls is
  'What tills that were cut off have sold of stock that was not there. Written by pos_sale and resolve_finding only.';
comment on column interlock.sale_shortfalls.inventory_id is
  'The stock that it was sold from: a row of inventory, or the product for the stock of the web shop. Empty if it has never been there.';
comment on column interlock.sale_shortfalls.sold is
  'How much of the product the sale has sold.';
comment on column interlock.sale_shortfalls.quantity is
  'How much of that was not there.';
comment on column interlock.sale_shortfalls.taken_at is
  'When it was taken from the stock after all (resolve_finding).';

create trigger sale_shortfalls_append_only
  before update of sale_id, product_id, location_id, inventory_id, sold, quantity or delete on interlock.sale_shortfalls
  for each row
  execute function interlock.refuse_change();

create trigger sale_shortfalls_no_truncate
  before truncate on interlock.sale_shortfalls
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sale_shortfalls enable row level security;

grant select on table interlock.sale_shortfalls to authenticated, service_role;

create policy sale_shortfalls_select_till
  on interlock.sale_shortfalls
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- How sales at tills were paid; append-only.
--
-- The reference of a card payment counts once: the terminal gives every payment its own.
create table interlock.sale_tenders (
  sale_id uuid not null
    constraint sale_tenders_sale_id_fkey references interlock.sales,
  n int not null,
  type interlock.tender_type not null,
  amount interlock.positive_amount not null,
  reference interlock.label,
  constraint sale_tenders_pkey primary key (sale_id, n)
);

comment on table interlock.sale_tenders is
  'How sales at tills were paid. Append-only.';
comment on column interlock.sale_tenders.amount is
  'Minor units; of cash what was handed over, of which sales.change_due was given back.';
comment on column interlock.sale_tenders.reference is
  'The terminal''s reference of a card payment, or what else names it.';

create unique index sale_tenders_card_reference_key
  on interlock.sale_tenders (reference)
  where type = 'card' and reference is not null;

create trigger sale_tenders_append_only
  before update or delete on interlock.sale_tenders
  for each row
  execute function interlock.refuse_change();

create trigger sale_tenders_no_truncate
  before truncate on interlock.sale_tenders
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sale_tenders enable row level security;

grant select on table interlock.sale_tenders to authenticated, service_role;

create policy sale_tenders_select_till
  on interlock.sale_tenders
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

-- A sale as Alpine IQ takes it (POST /api/v1.1/createUpdateSale/:uid): `pos_id` is the sale's id, by which it is put and put again,
-- amounts are in major units, and what comes back has a negative quantity. A voided sale is put again with a total of 0 and
-- without lines, so that nothing of it counts.
--
-- Callers: service_role, through public.alpine_iq_sale: whoever delivers events.
-- Errors: SALE_NOT_FOUND.
-- Security definer: the service role has no rights on the functions that it uses.
create function interlock.alpine_iq_sale(p_sale_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_answer jsonb;
begin
  select jsonb_build_object('visit', jsonb_strip_nulls(jsonb_build_object(
    'pos_id', s.id,
    'pos_user', coalesce(c.merged_into, c.id),
    'pos_type', 'in-store',
    'transaction_date', to_char(s.sold_at, 'YYYY-MM-DD HH24:MI:SS +0000'),
    'transaction_total', case s.status when 'voided' then 0 else trim_scale(s.total / m.minor) end,
    'location', l.name,
    'visit_details_attributes', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'sku', coalesce((
          select min(b.barcode) from interlock.product_barcodes b where b.product_id = i.product_id and b.units = 1
        ), i.product_id::text),
        'name', i.name,
        'price', trim_scale(i.unit_price / m.minor),
        'quantity', trim_scale(i.quantity),
        'category', p.loyalty_class,
        'discount', trim_scale(i.discount / m.minor)
      ) order by i.came_back, i.n), '[]')
      from (
        select
          false as came_back, l.line as n, l.product_id, l.name, l.unit_price::numeric, l.quantity::numeric,
          (l.discount + l.promo_discount)::numeric as discount
        from interlock.sale_lines l
        where l.sale_id = s.id
        union all
        -- Of what was taken off when it was sold, its share comes back, too.
        select
          true, r.n, r.product_id, r.name, r.unit_price, -r.quantity,
          case when o.sale_id is null then 0 else
            r.amount - case when o.tax_inclusive then 0 else r.tax end - floor(r.quantity * r.unit_price + 0.5)
          end
        from interlock.sale_returns r
        left join interlock.sale_lines o on o.sale_id = r.original_sale_id and o.line = r.original_line
        where r.sale_id = s.id
      ) i
      left join interlock.products p on p.id = i.product_id
      where s.status <> 'voided'
    )
  )))
  into v_answer
  from interlock.sales s
  join interlock.locations l on l.id = s.location_id
  left join interlock.customers c on c.id = s.customer_id
  cross join lateral (select 10::numeric ^ interlock.currency_decimals(s.currency) as minor) m
  where s.id = p_sale_id;
  if v_answer is null then
    perform interlock.raise_error('SALE_NOT_FOUND', jsonb_build_object('sale_id', p_sale_id));
  end if;
  return v_answer;
end
$$;

-- What public.approve_sale does, with its owner's rights: a manager allows a cashier at a register something, once, within
-- five minutes: pos_sale and void_sale take its id.
--
-- Callers: authenticated (managers, staff) and service_role, through public.approve_sale.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, REGISTER_NOT_FOUND.
-- Security definer: nobody has the right to write approvals.
create function interlock.approve_sale(p_register_id uuid, p_actions text[], p_reason text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_approval interlock.sale_approvals;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if interlock.require_till() <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;

  if p_register_id is null then
    v_problems := v_problems || interlock.problem('/p_register_id', 'is required');
  end if;
  if (
    p_actions <@ array['discount', 'return_without_receipt', 'void'] and cardinality(p_actions) between 1 and 3
  ) is not true then
    v_problems := v_problems || interlock.problem(
      '/p_actions', 'must be 1 to 3 of discount, return_without_receipt and void'
    );
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must be 1 to 200 characters, without control characters');
  end if;
  perform interlock.refuse_problems(v_problems);
  if not exists (select from interlock.registers r where r.id = p_register_id) then
    perform interlock.raise_error('REGISTER_NOT_FOUND', jsonb_build_object('register_id', p_register_id));
  end if;

  insert into interlock.sale_approvals (register_id, actions, reason, approved_by, approved_at, expires_at)
  values (
    p_register_id, p_actions, p_reason, auth.uid(), interlock.clock(), interlock.clock() + interval '5 minutes'
  )
  returning * into v_approval;
  return jsonb_build_object('success', true, 'approval', jsonb_build_object(
    'id', v_approval.id, 'register_id', p_register_id, 'actions', p_actions, 'expires_at', v_approval.expires_at
  ));
end
$$;

-- Whether all tenders are written as most are, a type and a small amount, so that nothing can be wrong with them: as interlock.is_plain_cart
-- looks at a cart, in expressions.
--
-- Callers: interlock.find_sale_problems.
create function interlock.are_plain_tenders(p_tenders jsonb)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  v_tender jsonb;
  v_amount text;
begin
  for v_n in 0 .. jsonb_array_length(p_tenders) - 1 loop
    v_tender := p_tenders -> v_n;
    -- As JSON writes it: a text would have quotes.
    v_amount := v_tender -> 'amount';
    if (
      jsonb_typeof(v_tender) = 'object'
      and v_tender - '{type,amount}'::text[] = '{}'
      and v_tender ->> 'type' in ('cash', 'card', 'wallet', 'points')
      and translate(v_amount, '0123456789', '') = ''
      and char_length(v_amount) < 10
      and v_amount <> '0'
    ) is not true then
      return false;
    end if;
  end loop;
  return true;
end
$$;

-- Take the key of a sale, of its register for ever, or answer what a twin has answered.
--
-- Callers: interlock.make_sale, before it locks anything else.
-- Locks: the key, until the transaction ends. Waits for a twin, holding nothing.
-- Errors: as interlock.find_sale_answer; 55P03 after lock_timeout. Null means: sell, then call interlock.finish_sale.
create function interlock.begin_sale(p_register_id uuid, p_key text, p_client_time timestamptz, p_request jsonb)
returns text
language plpgsql
set search_path = ''
as $$
begin
  if p_key is null then
    return null;
  end if;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.sale_keys (register_id, key, request_hash, client_time)
  values (p_register_id, p_key, interlock.sale_hash(p_request, p_client_time is not null), p_client_time)
  on conflict on constraint sale_keys_pkey do nothing;
  if found then
    return null;
  end if;
  return interlock.find_sale_answer(p_register_id, p_key, p_client_time, p_request);
end
$$;

-- Take what a customer pays with points and the wallet, or give them what is paid out in these, and book what the sale earns. p_amounts
-- are what its lines cost, tax in it; p_by_points is how much of that is paid with points, p_taken_back how many points went with what came back.
--
-- Callers: interlock.make_sale, after interlock.refuse_tenders or interlock.refuse_refund.
-- Locks: what interlock.lock_buyer holds.
-- Errors: VALIDATION_FAILED, INSUFFICIENT_POINTS, INSUFFICIENT_FUNDS, CURRENCY_MISMATCH.
create function interlock.charge_buyer(
  p_buyer interlock.buyer,
  p_sale_id uuid,
  p_root_sale_id uuid,
  p_currency text,
  p_tenders jsonb,
  p_total bigint,
  p_product_ids uuid[],
  p_amounts bigint[],
  p_by_points bigint,
  p_taken_back bigint
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_spent bigint := 0;
  v_given_back bigint := 0;
begin
  if p_total < 0 then
    if p_buyer.by_points > 0 then
      v_given_back := interlock.points_to_give_back(p_buyer.customer_id, p_root_sale_id, p_buyer.by_points);
      perform interlock.book_points(p_buyer.customer_id, 'given_back', v_given_back, p_sale_id => p_sale_id);
    end if;
    if p_buyer.by_wallet > 0 then
      perform interlock.credit_wallet(p_buyer.user_id, p_buyer.by_wallet, p_currency, 'pos_return', p_sale_id);
    end if;
  else
    if p_buyer.by_points > 0 then
      v_spent := interlock.spend_points(p_buyer, p_sale_id, p_currency, p_tenders);
    end if;
    if p_buyer.by_wallet > 0 then
      perform interlock.pay_from_wallet(
        interlock.lock_wallet(p_buyer.user_id), p_buyer.by_wallet, p_currency, 'pos_sale', p_sale_id
      );
    end if;
  end if;
  return interlock.earn_points(
    p_buyer.customer_id, p_sale_id, p_currency, p_product_ids, p_amounts, p_by_points, p_buyer.tier
  ) || jsonb_build_object('spent', v_spent, 'given_back', v_given_back, 'taken_back', p_taken_back);
end
$$;

-- What the lines of a sale come to: taxes as in the web shop (interlock.charge_order), on what is left of each after what is taken off.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Locks: none.
create function interlock.charge_sale(
  p_look interlock.sale_look,
  p_promo_discounts bigint[],
  p_currency text,
  out o_tax bigint,
  out o_tax_included bigint,
  out o_taxes bigint[],
  out o_percents numeric[],
  out o_inclusive boolean[],
  out o_subtotal bigint,
  out o_discount bigint,
  out o_total bigint
)
language plpgsql
stable
set search_path = ''
as $$
begin
  select c.o_tax, c.o_tax_included, c.o_taxes, c.o_percents, c.o_inclusive
  into o_tax, o_tax_included, o_taxes, o_percents, o_inclusive
  from interlock.charge_order(
    null, false, null, p_currency, p_look.product_ids,
    array(
      select u.subtotal - u.discount - coalesce(u.promo, 0)
      from unnest(p_look.subtotals, p_look.discounts, p_promo_discounts) with ordinality as u (subtotal, discount, promo, n)
      order by u.n
    )
  ) c;
  select coalesce(sum(u.subtotal), 0), coalesce(sum(u.discount + coalesce(u.promo, 0)), 0)
  into o_subtotal, o_discount
  from unnest(p_look.subtotals, p_look.discounts, p_promo_discounts) as u (subtotal, discount, promo);
  o_total := o_subtotal - o_discount + o_tax - o_tax_included;
end
$$;

-- A parked sale for a till that wants to go on with it, locked: one that waits, or that this till has resumed already.
--
-- Callers: interlock.park_sale (again), interlock.resume_parked_sale, interlock.take_parked_sale.
-- Locks: as interlock.lock_parked_sale.
-- Errors: PARKED_SALE_NOT_FOUND (also at another location), PARKED_SALE_TAKEN by another till, PARKED_SALE_ENDED; 55P03 after
--   lock_timeout.
create function interlock.claim_parked_sale(p_parked_sale_id uuid, p_register interlock.registers)
returns interlock.parked_sales
language plpgsql
set search_path = ''
as $$
declare
  v_parked constant interlock.parked_sales := interlock.lock_parked_sale(p_parked_sale_id);
begin
  if v_parked.location_id <> p_register.location_id then
    perform interlock.raise_error('PARKED_SALE_NOT_FOUND', jsonb_build_object('parked_sale_id', p_parked_sale_id));
  end if;
  if v_parked.ended_at is not null or v_parked.expires_at <= interlock.clock() then
    perform interlock.raise_error('PARKED_SALE_ENDED', jsonb_build_object(
      'parked_sale_id', p_parked_sale_id,
      'status', case when v_parked.ended_at is null then 'expired' else v_parked.status end,
      'sale_id', v_parked.sale_id
    ));
  end if;
  if v_parked.status = 'resumed' and v_parked.register_id <> p_register.id then
    perform interlock.raise_error('PARKED_SALE_TAKEN', jsonb_build_object(
      'parked_sale_id', p_parked_sale_id, 'register_id', v_parked.register_id, 'resumed_at', v_parked.resumed_at
    ));
  end if;
  return v_parked;
end
$$;

-- What public.close_shift does, with its owner's rights: end a shift with what was counted in its drawer, and answer what it
-- adds up to. A sale under way is in it, or finds the shift closed. Called again with the same count, at the till or from
-- afar, it answers the same.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.close_shift.
-- Locks: the register; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SHIFT_NOT_FOUND, SHIFT_CLOSED (with another count); 55P03 is transient.
-- Security definer: nobody has the right to write shifts.
create function interlock.close_shift(p_shift_id uuid, p_counted_cash bigint)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_shift interlock.shifts;
  v_report jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  if p_shift_id is null then
    v_problems := v_problems || interlock.problem('/p_shift_id', 'is required');
  end if;
  if (p_counted_cash between 0 and 9007199254740991) is not true then
    v_problems := v_problems || interlock.problem('/p_counted_cash', 'must be a whole number of minor units, 0 or more');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_shift := interlock.lock_shift(p_shift_id);
  if v_shift.closed_at is null then
    v_report := interlock.shift_report(p_shift_id, p_counted_cash);
    update interlock.shifts s
    set closed_at = greatest(interlock.clock(), s.opened_at),
        closed_by = auth.uid(),
        counted_cash = p_counted_cash,
        expected_cash = (v_report ->> 'expected_cash')::bigint,
        report = v_report
    where s.id = p_shift_id
    returning * into v_shift;
  elsif v_shift.counted_cash <> p_counted_cash then
    perform interlock.raise_error('SHIFT_CLOSED', jsonb_build_object(
      'shift_id', p_shift_id, 'closed_at', v_shift.closed_at, 'counted_cash', v_shift.counted_cash
    ));
  end if;

  return jsonb_build_object('success', true, 'shift', jsonb_build_object(
    'id', p_shift_id, 'register_id', v_shift.register_id, 'opened_at', v_shift.opened_at, 'closed_at', v_shift.closed_at
  ) || v_shift.report);
end
$$;

-- Take from the stock what a till that was cut off has sold and was not there then. By now it must be.
--
-- Callers: interlock.resolve_finding.
-- Locks: the sale; as interlock.lock_inventory.
-- Errors: INSUFFICIENT_INVENTORY; 55P03 is transient.
create function interlock.correct_shortfall(p_sale_id uuid, p_product_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_shortfall interlock.sale_shortfalls;
  v_lines jsonb;
begin
  perform interlock.lock_sales(array[p_sale_id]);
  select f.*
  into v_shortfall
  from interlock.sale_shortfalls f
  join interlock.sales s on s.id = f.sale_id and s.status = 'completed'
  where f.sale_id = p_sale_id
    and f.product_id = p_product_id
    and f.taken_at is null;
  if not found then
    return;
  end if;

  v_lines := interlock.transfer_ends(
    jsonb_build_array(jsonb_build_object('product_id', p_product_id, 'quantity', -v_shortfall.quantity)), v_shortfall.location_id
  );
  perform interlock.refuse_shortages(v_lines, interlock.lock_inventory(v_lines));
  perform interlock.move_quantities(v_lines, p_reason, p_sale_id);
  update interlock.sale_shortfalls f
  set taken_at = interlock.clock()
  where f.sale_id = p_sale_id
    and f.product_id = p_product_id;
end
$$;

-- Take from the stock what a sale at a till has sold and the ledger has not taken, or give back what it has taken too much.
-- Whoever voids the sale meanwhile changes sale and ledger together, and not what they differ by.
--
-- Callers: interlock.resolve_finding.
-- Locks: as interlock.lock_inventory.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, PRODUCT_NOT_FOUND; 55P03 is transient.
create function interlock.correct_till_sale(p_sale_id uuid, p_product_id uuid, p_location_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_lines jsonb;
begin
  v_lines := (
    select interlock.transfer_ends(
      jsonb_build_array(jsonb_build_object('product_id', p_product_id, 'quantity', d.found - d.expected)), p_location_id
    )
    from interlock.find_till_differences(array[p_sale_id], null) d
    where d.product_id = p_product_id
      and d.location_id = p_location_id
  );
  if v_lines is not null then
    perform interlock.refuse_shortages(v_lines, interlock.lock_inventory(v_lines));
    perform interlock.move_quantities(v_lines, p_reason, p_sale_id);
  end if;
end
$$;

-- How many decimals the amounts of a currency have, by ISO 4217.
--
-- Callers: interlock.format_amount.
-- Locks: none.
create function interlock.currency_decimals(p_currency text)
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_currency in (
      'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'
    ) then 0
    when p_currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3
    when p_currency in ('CLF', 'UYW') then 4
    else 2
  end;
end
$$;

-- What public.discard_parked_sale does, with its owner's rights: end a parked sale that nobody wants any more; what it holds is on the
-- shelf again. Called again it answers the same.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.discard_parked_sale.
-- Locks: the parked sale; stock as interlock.lock_sold_stock. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, PARKED_SALE_NOT_FOUND, PARKED_SALE_ENDED (it was sold),
--   STOCK_LIMIT_EXCEEDED; 55P03 is transient.
-- Security definer: nobody has the right to write parked sales or stock.
create function interlock.discard_parked_sale(p_parked_sale_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_parked interlock.parked_sales;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();
  if p_parked_sale_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_parked_sale_id', 'is required'));
  end if;

  v_parked := interlock.lock_parked_sale(p_parked_sale_id);
  if v_parked.status = 'sold' then
    perform interlock.raise_error('PARKED_SALE_ENDED', jsonb_build_object(
      'parked_sale_id', p_parked_sale_id, 'status', 'sold', 'sale_id', v_parked.sale_id
    ));
  end if;
  if v_parked.ended_at is null then
    v_parked := interlock.end_parked_sale(v_parked, 'discarded');
  end if;
  return jsonb_build_object('success', true, 'parked_sale', interlock.parked_sale_to_json(v_parked));
end
$$;

-- End a parked sale that does not become a sale: what it holds is on the shelf again.
--
-- Callers: interlock.discard_parked_sale, interlock.expire_parked_sales, which hold it.
-- Locks: stock as interlock.lock_sold_stock.
-- Errors: STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.end_parked_sale(p_parked interlock.parked_sales, p_status text)
returns interlock.parked_sales
language plpgsql
set search_path = ''
as $$
declare
  v_parked interlock.parked_sales;
begin
  if p_parked.held_product_ids <> '{}' then
    perform interlock.lock_sold_stock(p_parked.location_id, p_parked.held_product_ids);
    perform interlock.give_sold_stock(
      p_parked.location_id, p_parked.held_product_ids, p_parked.held_quantities, 'pos_park', p_parked.id
    );
  end if;
  update interlock.parked_sales p
  set status = p_status,
      held_product_ids = '{}',
      held_quantities = '{}',
      ended_at = interlock.clock()
  where p.id = p_parked.id
  returning p.* into v_parked;
  return v_parked;
end
$$;

-- A text as HTML shows it.
--
-- Callers: interlock.receipt_as_html, interlock.sale_receipt, interlock.render_mail, interlock.fill_mail.
-- Locks: none.
create function interlock.escape_html(p_text text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return replace(replace(replace(replace(replace(p_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;');
end
$$;

-- The sale with which something began and all that it was exchanged for since, but for what is void, each with the customer who has
-- its points by now.
--
-- Callers: interlock.refuse_refund, interlock.points_to_give_back.
-- Locks: none.
create function interlock.exchanged_sales(p_root_sale_id uuid)
returns table (id uuid, root_sale_id uuid, total bigint, returned bigint, change_due bigint, customer_id uuid)
language plpgsql
stable
rows 2
set search_path = ''
as $$
begin
  return query
    select s.id, s.root_sale_id, s.total::bigint, s.returned::bigint, s.change_due::bigint, coalesce(c.merged_into, c.id)
    from (
      select o.* from interlock.sales o where o.id = p_root_sale_id
      union all
      select o.* from interlock.sales o where o.root_sale_id = p_root_sale_id
    ) s
    left join interlock.customers c on c.id = s.customer_id
    where s.status = 'completed';
end
$$;

-- What has to be in the drawer of a shift: its opening cash, cash that was taken less change and refunds, and what was put in or
-- taken out beside.
--
-- Callers: interlock.shift_report, interlock.move_cash, which hold the register.
-- Locks: none.
create function interlock.expected_cash(p_shift_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select s.opening_cash
      + (select t.amount from interlock.shift_tenders(s.id) t where t.type = 'cash')
      + coalesce((
        select sum(case m.kind when 'paid_in' then m.amount else -m.amount end)
        from interlock.cash_movements m
        where m.shift_id = s.id
      ), 0)::bigint
    from interlock.shifts s
    where s.id = p_shift_id
  );
end
$$;

-- End parked sales whose time is over, each in a sub-transaction of its own; answers how many. What cannot be ended at once
-- (somebody is using it, or its stock) is left for the next call, which takes them in another order.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.expire_parked_sales.
-- Locks: due parked sales one after the other, those that nobody else is locking (skip locked); for each then as
--   interlock.end_parked_sale. They stay locked until the transaction ends, against the order of locks, so each wait is a
--   moment: 50 milliseconds for the first, one from then on.
-- Errors: none of a parked sale's own.
-- Security definer: nobody has the right to write parked sales or stock.
create function interlock.expire_parked_sales(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 100), 0);
  v_until timestamptz := clock_timestamp() + interval '1 second';
  v_id uuid;
  v_parked interlock.parked_sales;
  v_ended int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_id in
    select p.id
    from interlock.parked_sales p
    where p.ended_at is null
      and p.expires_at <= interlock.clock()
    order by random()
  loop
    exit when v_ended >= v_limit or clock_timestamp() > v_until;

    begin
      -- The lock compares again: one that was sold or parked anew meanwhile drops out.
      select p.*
      into v_parked
      from interlock.parked_sales p
      where p.id = v_id
        and p.ended_at is null
        and p.expires_at <= interlock.clock()
      for no key update skip locked;
      continue when not found;

      perform interlock.end_parked_sale(v_parked, 'expired');
      v_ended := v_ended + 1;
      v_until := least(v_until, clock_timestamp() + interval '100 milliseconds');
      perform set_config('lock_timeout', '1ms', true);
    exception
      when others then
        raise warning 'parked sale % cannot expire: % %', v_id, sqlstate, sqlerrm;
    end;
  end loop;
  return v_ended;
end
$$;

-- What is wrong with the time at which a till that was cut off says to have done something: it must not be in the future, but
-- for clocks that differ by five minutes, nor more than 30 days ago.
--
-- Callers: interlock.pos_sale, interlock.open_shift.
create function interlock.find_client_time_problems(p_client_time timestamptz, p_pointer text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when p_client_time > interlock.clock() + interval '5 minutes' then
      interlock.problem(p_pointer, 'must not be in the future')
    when p_client_time < interlock.clock() - interval '30 days' then
      interlock.problem(p_pointer, 'must be in the last 30 days')
    else '[]'
  end;
end
$$;

-- What is wrong with the shape of what comes back to a till, all of it. crates/domain/src/pos/pos_sale.rs asks the same.
--
-- Callers: interlock.find_sale_problems.
create function interlock.find_return_problems(p_returns jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  if jsonb_typeof(p_returns) <> 'array' or jsonb_array_length(p_returns) not between 1 and 100 then
    return interlock.problem('/returns', 'must be an array of 1 to 100 entries');
  end if;
  return (
    select coalesce(
      jsonb_agg(jsonb_build_object('pointer', format('/returns/%s%s', e.n - 1, p.pointer), 'message', p.message) order by e.n, p.pointer),
      '[]'
    )
    from (
      select
        i.n,
        i.item,
        jsonb_typeof(i.item) = 'object' as is_object,
        coalesce(i.item ? 'sale_id', false) as with_receipt,
        case when jsonb_typeof(i.item) = 'object' then
          (select count(*) from jsonb_object_keys(i.item) as k (name) where k.name in ('sale_id', 'inventory_id', 'product_id', 'barcode'))
        end as names,
        lower(i.item ->> 'sale_id') is distinct from lower(p_returns #>> '{0,sale_id}') as another
      from jsonb_array_elements(p_returns) with ordinality as i (item, n)
    ) e
    cross join lateral (
      select '' as pointer, 'must be an object' as message
      where not e.is_object
      union all
      select '', 'must name what comes back by one of sale_id (and line), inventory_id, product_id and barcode'
      where e.names <> 1
      union all
      select '/sale_id', 'must be that of the first entry: what comes back at once is of one sale, or all without a receipt'
      where e.is_object and e.another
      union all
      select '/' || k.name, 'must be a UUID'
      from unnest(array['sale_id', 'inventory_id', 'product_id']) as k (name)
      where e.is_object
        and e.item ? k.name
        and (jsonb_typeof(e.item -> k.name) = 'string' and interlock.is_uuid(e.item ->> k.name)) is not true
      union all
      select '/barcode', 'must be 1 to 64 printable ASCII characters without blanks'
      where e.is_object
        and e.item ? 'barcode'
        and (jsonb_typeof(e.item -> 'barcode') = 'string' and interlock.is_barcode(e.item ->> 'barcode')) is not true
      union all
      select '/line', 'must be a whole number from 0 to 99'
      where e.with_receipt
        and (interlock.is_amount(e.item -> 'line') and (e.item ->> 'line')::numeric <= 99) is not true
      union all
      select '/quantity', 'must be a number above 0 and at most 1000000, with at most 3 decimals'
      where e.is_object
        and case
          when jsonb_typeof(e.item -> 'quantity') = 'number' then
            (e.item ->> 'quantity')::numeric not between 0.001 and 1000000
            or (e.item ->> 'quantity')::numeric <> round((e.item ->> 'quantity')::numeric, 3)
          else true
        end
      union all
      select '/restock', 'must be true or false'
      where jsonb_typeof(e.item -> 'restock') <> 'boolean'
      union all
      select '/reason', 'must be 1 to 200 characters, without control characters'
      where e.is_object
        and (jsonb_typeof(e.item -> 'reason') = 'string' and interlock.is_line(e.item ->> 'reason', 200)) is not true
      union all
      select '/' || interlock.pointer_token(k.name), 'is not a known field'
      from jsonb_object_keys(case when e.is_object then e.item else '{}' end) as k (name)
      where k.name not in ('sale_id', 'inventory_id', 'product_id', 'barcode', 'quantity', 'restock', 'reason')
        and (k.name <> 'line' or not e.with_receipt)
    ) p
  );
end
$$;

-- What was answered to the sale of this register under this key, if there is one: whoever sends it, however late. A sale of which the
-- till says another time is another one.
--
-- Callers: interlock.begin_sale; interlock.make_sale, before it refuses what a look has seen.
-- Locks: none.
-- Errors: IDEMPOTENCY_KEY_REUSED. Null without a key, and for a new one.
-- Effect: where it answers, PostgREST sends the header Idempotent-Replayed: true.
create function interlock.find_sale_answer(p_register_id uuid, p_key text, p_client_time timestamptz, p_request jsonb)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_row interlock.sale_keys;
begin
  if p_key is null then
    return null;
  end if;
  select k.* into v_row from interlock.sale_keys k where k.register_id = p_register_id and k.key = p_key;
  if not found then
    return null;
  end if;
  if v_row.request_hash <> interlock.sale_hash(p_request, p_client_time is not null)
    or v_row.client_time <> p_client_time
  then
    perform interlock.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('operation', 'pos_sale'));
  end if;
  perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
  return v_row.answer;
end
$$;

-- What is wrong with the shape of a sale, all of it; null if nothing is. crates/domain/src/pos/pos_sale.rs asks the same.
--
-- Callers: interlock.pos_sale.
create function interlock.find_sale_problems(p_request jsonb, p_idempotency_key text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_lines constant jsonb := p_request -> 'lines';
  v_tenders constant jsonb := p_request -> 'tenders';
  v_line constant text := 'must be 1 to 200 characters, without control characters';
  v_problems jsonb := jsonb '[]';
begin
  if p_request ->> 'register_id' is null then
    v_problems := v_problems || interlock.problem('/register_id', 'is required');
  end if;

  if p_request ? 'returns' then
    v_problems := v_problems || interlock.find_return_problems(p_request -> 'returns');
  end if;
  if v_lines is null and p_request ? 'returns' then
    null;
  elsif jsonb_typeof(v_lines) is distinct from 'array' or jsonb_array_length(v_lines) not between 1 and 100 then
    v_problems := v_problems || interlock.problem('/lines', 'must be an array of 1 to 100 lines');
  elsif not interlock.are_plain_lines(v_lines, 'quantity') then
    v_problems := v_problems || (
      select coalesce(
        jsonb_agg(jsonb_build_object('pointer', format('/lines/%s%s', l.n - 1, p.pointer), 'message', p.message) order by l.n, p.pointer),
        '[]'
      )
      from (
        select
          i.n,
          i.item,
          jsonb_typeof(i.item) = 'object' as is_object,
          coalesce(jsonb_typeof(i.item -> 'discount') = 'object', false) as has_discount,
          case when jsonb_typeof(i.item) = 'object' then
            (select count(*) from jsonb_object_keys(i.item) as k (name) where k.name in ('inventory_id', 'product_id', 'barcode'))
          end as names
        from jsonb_array_elements(v_lines) with ordinality as i (item, n)
      ) l
      cross join lateral (
        select '' as pointer, 'must be an object' as message
        where not l.is_object
        union all
        select '', 'must name its product by one of inventory_id, product_id and barcode'
        where l.names <> 1
        union all
        select '/' || k.name, 'must be a UUID'
        from unnest(array['inventory_id', 'product_id']) as k (name)
        where l.is_object
          and l.item ? k.name
          and (jsonb_typeof(l.item -> k.name) = 'string' and interlock.is_uuid(l.item ->> k.name)) is not true
        union all
        select '/barcode', 'must be 1 to 64 printable ASCII characters without blanks'
        where l.is_object
          and l.item ? 'barcode'
          and (jsonb_typeof(l.item -> 'barcode') = 'string' and interlock.is_barcode(l.item ->> 'barcode')) is not true
        union all
        select '/quantity', 'must be a number above 0 and at most 1000000, with at most 3 decimals'
        where l.is_object
          and case
            when jsonb_typeof(l.item -> 'quantity') = 'number' then
              (l.item ->> 'quantity')::numeric not between 0.001 and 1000000
              or (l.item ->> 'quantity')::numeric <> round((l.item ->> 'quantity')::numeric, 3)
            else true
          end
        union all
        select '/unit_price', case
          when p_request ? 'client_time' then 'must be a whole number of minor units, 0 or more'
          else 'is only for a sale with client_time: any other has the price of the database'
        end
        where l.is_object
          and l.item ? 'unit_price'
          and (p_request ? 'client_time' and interlock.is_amount(l.item -> 'unit_price')) is not true
        union all
        select '/discount', 'must be an object with amount or percent, and reason'
        where l.is_object
          and l.item ? 'discount'
          and (not l.has_discount or (l.item -> 'discount' ? 'amount') = (l.item -> 'discount' ? 'percent'))
        union all
        select '/discount/amount', 'must be a whole number of minor units, 1 or more'
        where l.has_discount
          and l.item -> 'discount' ? 'amount'
          and (interlock.is_amount(l.item -> 'discount' -> 'amount') and l.item #>> '{discount,amount}' <> '0') is not true
        union all
        select '/discount/percent', 'must be a number above 0 and at most 100, with at most 2 decimals'
        where l.has_discount
          and l.item -> 'discount' ? 'percent'
          and case
            when jsonb_typeof(l.item -> 'discount' -> 'percent') = 'number' then
              (l.item #>> '{discount,percent}')::numeric not between 0.01 and 100
              or (l.item #>> '{discount,percent}')::numeric <> round((l.item #>> '{discount,percent}')::numeric, 2)
            else true
          end
        union all
        select '/discount/reason', v_line
        where l.has_discount
          and (jsonb_typeof(l.item -> 'discount' -> 'reason') = 'string' and interlock.is_line(l.item #>> '{discount,reason}', 200)) is not true
        union all
        select '/discount/' || interlock.pointer_token(k.name), 'is not a known field'
        from jsonb_object_keys(case when l.has_discount then l.item -> 'discount' else '{}' end) as k (name)
        where k.name not in ('amount', 'percent', 'reason')
        union all
        select '/' || interlock.pointer_token(k.name), 'is not a known field'
        from jsonb_object_keys(case when l.is_object then l.item else '{}' end) as k (name)
        where k.name not in ('inventory_id', 'product_id', 'barcode', 'quantity', 'unit_price', 'discount')
      ) p
    );
  end if;

  if jsonb_typeof(v_tenders) <> 'array' or jsonb_array_length(v_tenders) > 20 then
    v_problems := v_problems || interlock.problem('/tenders', 'must be an array of at most 20 tenders');
  elsif not interlock.are_plain_tenders(v_tenders) then
    v_problems := v_problems || (
      select coalesce(
        jsonb_agg(jsonb_build_object('pointer', format('/tenders/%s%s', t.n - 1, p.pointer), 'message', p.message) order by t.n, p.pointer),
        '[]'
      )
      from (
        select i.n, i.item, jsonb_typeof(i.item) = 'object' as is_object
        from jsonb_array_elements(v_tenders) with ordinality as i (item, n)
      ) t
      cross join lateral (
        select '' as pointer, 'must be an object' as message
        where not t.is_object
        union all
        select '/type', 'must be cash, card, wallet or points'
        where t.is_object and (t.item -> 'type' in ('"cash"', '"card"', '"wallet"', '"points"')) is not true
        union all
        select '/amount', 'must be a whole number of minor units, 1 or more'
        where t.is_object and (interlock.is_amount(t.item -> 'amount') and t.item ->> 'amount' <> '0') is not true
        union all
        select '/reference', v_line
        where t.is_object
          and t.item ? 'reference'
          and (jsonb_typeof(t.item -> 'reference') = 'string' and interlock.is_line(t.item ->> 'reference', 200)) is not true
        union all
        select '/' || interlock.pointer_token(k.name), 'is not a known field'
        from jsonb_object_keys(case when t.is_object then t.item else '{}' end) as k (name)
        where k.name not in ('type', 'amount', 'reference')
      ) p
    );
  end if;

  if p_request ? 'customer' then
    v_problems := v_problems || interlock.find_customer_problems(p_request -> 'customer');
  elsif not p_request ? 'returns' and p_request -> 'tenders' @? '$[*] ? (@.type == "wallet" || @.type == "points")' then
    v_problems := v_problems || interlock.problem('/customer', 'is required to pay with a wallet or points');
  end if;
  if (p_request ->> 'promo_code') is not null and interlock.is_line(p_request ->> 'promo_code', 64) is not true then
    v_problems := v_problems || interlock.problem('/promo_code', 'must be 1 to 64 characters, without control characters');
  end if;
  if p_request ? 'promo_code' and not p_request ? 'lines' then
    v_problems := v_problems || interlock.problem('/promo_code', 'must be absent where nothing is sold');
  end if;
  if p_request ? 'client_time' and (
    p_request ? 'promo_code' or p_request -> 'tenders' @? '$[*] ? (@.type == "wallet" || @.type == "points")'
  ) then
    v_problems := v_problems || interlock.problem(
      '/client_time', 'must be absent with a promo code, points or a wallet: without a connection nobody can count them'
    );
  end if;
  if p_request ? 'client_time' and p_idempotency_key is null then
    v_problems := v_problems || interlock.problem('/headers/idempotency-key', 'is required with client_time');
  end if;
  if p_idempotency_key !~ '^[\x20-\x7e]+$' or char_length(p_idempotency_key) > 255 then
    v_problems := v_problems || interlock.problem('/headers/idempotency-key', 'must be 1 to 255 printable ASCII characters');
  end if;

  return nullif(v_problems, '[]');
end
$$;

-- All that is wrong with a sale that was refused: first what it was refused for (p_code, p_detail), then what else it would have come to
-- be refused for, each with its pointer. The sale is gone through once more, step by step, as interlock.make_sale does it; each step is a
-- sub-transaction, and what it has done ends with the error that the caller raises. A step that needs what an earlier one has refused is
-- left out: what lines cost is not known as long as one of them names nothing.
--
-- Callers: interlock.pos_sale, which holds nothing any more.
-- Locks: as interlock.make_sale up to the parked sale, in its order; each wait is a moment, and what others hold is not told.
create function interlock.find_sale_refusals(p_code text, p_detail jsonb, p_request jsonb, p_expected_total bigint, p_role text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_offline constant boolean := p_request ? 'client_time';
  v_sale_id constant uuid := interlock.new_id();
  v_lines constant jsonb := p_request -> 'lines';
  v_tenders constant jsonb := p_request -> 'tenders';
  v_back constant jsonb := p_request -> 'returns';
  v_without_receipt constant boolean := v_back -> 0 ->> 'sale_id' is null;
  v_approval_id constant uuid := (p_request ->> 'approval_id')::uuid;
  v_register interlock.registers;
  v_look interlock.sale_look;
  v_back_look interlock.sale_look;
  v_approved text[];
  v_limit numeric;
  v_refusals text[];
  v_back_refusals text[] := '{}'::text[];
  v_step text;
  v_returns interlock.sale_returns[];
  v_root_sale_id uuid;
  v_owner_id uuid;
  v_buyer interlock.buyer;
  v_promo_discounts bigint[];
  v_charged record;
  v_total bigint;
  v_code text;
  v_detail text;
  v_problems jsonb;
begin
  perform set_config('lock_timeout', '50ms', true);
  select r.* into v_register from interlock.registers r where r.id = (p_request ->> 'register_id')::uuid;
  v_look := interlock.look_at_sale(v_lines, v_register.location_id, v_offline);
  v_approved := interlock.look_at_approval(v_approval_id, v_register.id);
  if p_role = 'cashier' and ('discount' = any (v_approved)) is not true then
    select s.max_cashier_discount into v_limit from interlock.settings s;
  end if;
  v_refusals := interlock.look_refusals(
    v_look, v_register.currency, case when not v_offline then v_limit end,
    not v_offline and v_back is null and not p_request ? 'parked_sale_id'
  );
  if v_back is not null and v_without_receipt then
    v_back_look := interlock.look_at_sale(v_back, v_register.location_id, false);
    v_back_refusals := array_remove(interlock.look_refusals(v_back_look, v_register.currency, null, false), 'REGISTER_NOT_FOUND');
  end if;
  v_problems := interlock.point_at_refusal(p_code, p_detail, p_request, v_register.currency, v_limit, v_look, v_back_look);

  foreach v_step in array
    array['shift'] || v_refusals || array['approval']
      || array(select '/returns ' || r.code from unnest(v_back_refusals) with ordinality as r (code, n) order by r.n)
      || array['returns', 'buyer', 'promo', 'price', 'tenders', 'references', 'points', 'wallet', 'parked']
  loop
    begin
      case
        when v_step = any (v_refusals) then
          perform interlock.refuse_look(v_step, v_look, (p_request ->> 'register_id')::uuid, v_register, '/lines', v_limit);
        when v_step like '/returns %' then
          perform interlock.refuse_look(split_part(v_step, ' ', 2), v_back_look, v_register.id, v_register, '/returns');
        when v_register.id is null then
          null;
        when v_step = 'shift' then
          perform interlock.shift_of_sale(
            v_register.id, (p_request ->> 'shift_id')::uuid, (p_request ->> 'client_time')::timestamptz
          );
        when v_step = 'approval' then
          perform interlock.raise_error('APPROVAL_NOT_FOUND', jsonb_build_object('approval_id', v_approval_id))
          where v_approval_id is not null and v_approved is null;
        when v_step = 'returns' then
          if v_back is not null then
            select t.o_returns, t.o_root_sale_id, t.o_customer_id
            into v_returns, v_root_sale_id, v_owner_id
            from interlock.take_returns(
              v_back, v_sale_id, v_register, p_role = 'manager' or coalesce('return_without_receipt' = any (v_approved), false)
            ) t;
          end if;
        when v_step = 'buyer' then
          if p_request ? 'customer' or v_owner_id is not null then
            v_buyer := interlock.lock_buyer(p_request -> 'customer', v_owner_id, v_tenders);
          elsif v_returns is not null and v_tenders @? '$[*] ? (@.type == "wallet" || @.type == "points")' then
            perform interlock.refuse_problems(interlock.problem('/customer', 'is required to pay with a wallet or points'));
          end if;
          if v_returns[1].original_sale_id is not null then
            perform interlock.take_returned_points(v_returns[1].original_sale_id);
          end if;
        when v_refusals && array['BARCODE_NOT_FOUND', 'INVENTORY_NOT_FOUND', 'PRODUCT_NOT_FOUND', 'VALIDATION_FAILED', 'MIXED_CURRENCIES']
          and v_step in ('promo', 'price', 'tenders') then
          null;
        when v_step = 'promo' then
          if p_request ? 'promo_code' and (v_buyer.customer_id is not null or not p_request ? 'customer') then
            v_promo_discounts := interlock.redeem_sale_promo(
              p_request ->> 'promo_code', v_buyer, v_sale_id, v_register.currency, v_look
            );
          end if;
        when v_step = 'price' then
          if (not p_request ? 'promo_code' or v_promo_discounts is not null) and (v_back is null or v_returns is not null) then
            v_charged := interlock.charge_sale(v_look, v_promo_discounts, v_register.currency);
            v_total := v_charged.o_total - coalesce((select sum(r.amount) from unnest(v_returns) as r), 0);
            if v_total <> p_expected_total and not v_offline then
              perform interlock.refuse_price(p_expected_total, v_total, v_charged.o_subtotal, v_register.currency, v_look);
            end if;
          end if;
        when v_step = 'tenders' then
          if v_total < 0 and v_buyer.customer_id is null and (p_request ? 'customer' or v_owner_id is not null) then
            null;
          elsif v_total < 0 then
            perform interlock.refuse_refund(v_tenders, v_total, v_root_sale_id, v_register.currency, v_buyer.customer_id);
          elsif v_total >= 0 then
            perform interlock.refuse_tenders(v_tenders, v_total, v_register.currency);
          end if;
        when v_step = 'references' then
          perform interlock.raise_error('TENDER_REFERENCE_USED', jsonb_build_object('references', r.used))
          from (
            select jsonb_agg(t.reference order by t.n) as used
            from rows from (jsonb_to_recordset(v_tenders) as (type text, reference text)) with ordinality as t (type, reference, n)
            where t.type = 'card'
              and exists (select from interlock.sale_tenders b where b.reference = t.reference and b.type = 'card')
          ) r
          where r.used is not null;
        when v_step = 'points' then
          if v_buyer.by_points > 0 and (v_back is null or v_total >= 0) then
            perform interlock.spend_points(v_buyer, v_sale_id, v_register.currency, v_tenders);
          end if;
        when v_step = 'wallet' then
          if v_buyer.by_wallet > 0 and (v_back is null or v_total >= 0) then
            perform interlock.pay_from_wallet(
              interlock.lock_wallet(v_buyer.user_id), v_buyer.by_wallet, v_register.currency, 'pos_sale', v_sale_id
            );
          end if;
        when v_step = 'parked' then
          if p_request ? 'parked_sale_id' then
            perform interlock.take_parked_sale((p_request ->> 'parked_sale_id')::uuid, v_register);
          end if;
      end case;
    exception
      when sqlstate 'PT400' or sqlstate 'PT402' or sqlstate 'PT403' or sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT410'
        or sqlstate 'PT422' then
        get stacked diagnostics v_code = message_text, v_detail = pg_exception_detail;
        v_problems := v_problems
          || interlock.point_at_refusal(v_code, v_detail::jsonb, p_request, v_register.currency, v_limit, v_look, v_back_look);
      when lock_not_available or deadlock_detected then
        null;
    end;
  end loop;

  -- What it was refused for was come upon again.
  return (
    select jsonb_agg(f.problem order by f.n)
    from (
      select distinct on (p.problem -> 'pointer', p.problem -> 'code', p.problem -> 'message') p.problem, p.n
      from jsonb_array_elements(v_problems) with ordinality as p (problem, n)
      order by p.problem -> 'pointer', p.problem -> 'code', p.problem -> 'message', p.n
    ) f
  );
end
$$;

-- What these sales of tills that were cut off have sold of stock that was not there, and that has not been taken since.
--
-- Callers: interlock.find_differences.
-- Locks: none.
create function interlock.find_shortfalls(p_sale_ids uuid[])
returns table (
  product_id uuid, location_id uuid, sale_id uuid, expected numeric, found numeric, since timestamptz, cause text
)
language sql
stable
set search_path = ''
as $$
  select
    f.product_id, f.location_id, f.sale_id, trim_scale(f.sold), trim_scale(f.sold - f.quantity), s.sold_at,
    'A till that was cut off has sold it, and the stock said that it was not there: count it.'
  from interlock.sale_shortfalls f
  join interlock.sales s on s.id = f.sale_id
  where f.sale_id = any (p_sale_ids)
    and f.taken_at is null
    and s.status = 'completed'
$$;

-- Differences between the books of tills that these sales or registers are in.
--
--   till_sales  of a sale: what its lines have sold, less what came back with it and what was not there, and what the ledger took
--   totals      of a sale: what its lines come to, less what came back, and its total
--   tenders     of a sale: its total with the change, and what was paid (or paid out)
--   receipts    of a register: the receipts it has counted, and its sales
--
-- A sale that is void has sold nothing. An id may be that of no sale: then the ledger has taken something for none. Sales from before
-- p_kept_since are not compared with the ledger, as rows of it may be gone.
--
-- Callers: interlock.find_differences, interlock.correct_till_sale.
-- Locks: none.
create function interlock.find_till_differences(p_sale_ids uuid[], p_register_ids uuid[], p_kept_since timestamptz default null)
returns table (
  kind text, product_id uuid, location_id uuid, subject_id uuid, expected numeric, found numeric, since timestamptz, cause text
)
language sql
stable
set search_path = ''
as $$
  with asked as (
    select distinct u.id, s.id is not null as is_there, s.status, s.location_id, s.recorded_at, s.total, s.change_due
    from unnest(p_sale_ids) as u (id)
    left join interlock.sales s on s.id = u.id
  ),
  books as (
    select a.id, a.is_there, a.recorded_at, l.product_id, a.location_id, l.quantity::numeric as sold, null::numeric as taken
    from asked a
    join interlock.sale_lines l on l.sale_id = a.id
    where a.status = 'completed'
      and not l.untracked
    union all
    select a.id, a.is_there, a.recorded_at, r.product_id, a.location_id, -r.quantity, null
    from asked a
    join interlock.sale_returns r on r.sale_id = a.id
    where a.status = 'completed'
      and r.inventory_id is not null
    union all
    select a.id, a.is_there, a.recorded_at, f.product_id, a.location_id, -f.quantity, null
    from asked a
    join interlock.sale_shortfalls f on f.sale_id = a.id
    where a.status = 'completed'
      and f.taken_at is null
    union all
    select a.id, a.is_there, coalesce(a.recorded_at, m.created_at), m.product_id, m.location_id, null, -m.delta
    from asked a
    join interlock.stock_movements m on m.reference_id = a.id
  )
  select
    'till_sales', b.product_id, b.location_id, b.id, trim_scale(coalesce(sum(b.sold), 0)), trim_scale(coalesce(sum(b.taken), 0)),
    min(b.recorded_at),
    case
      when not bool_or(b.is_there) then 'The ledger has taken units for a sale that is not there: it was removed by hand.'
      else 'The sale, its lines or the ledger were changed past the functions.'
    end
  from books b
  where (b.recorded_at < p_kept_since) is not true
  group by b.product_id, b.location_id, b.id
  having coalesce(sum(b.sold), 0) <> coalesce(sum(b.taken), 0)
  union all
  select
    'totals', null, null, a.id, l.total, a.total, a.recorded_at, 'The sale or its lines were changed past the functions.'
  from asked a
  cross join lateral (
    select
      coalesce((select sum(l.total) from interlock.sale_lines l where l.sale_id = a.id), 0)
        - coalesce((select sum(r.amount) from interlock.sale_returns r where r.sale_id = a.id), 0) as total
  ) l
  where a.total <> l.total
  union all
  select
    'tenders', null, null, a.id, abs(a.total) + a.change_due, t.paid, a.recorded_at,
    'The sale or its tenders were changed past the functions.'
  from asked a
  cross join lateral (
    select coalesce(sum(t.amount), 0) as paid from interlock.sale_tenders t where t.sale_id = a.id
  ) t
  where abs(a.total) + a.change_due <> t.paid
  union all
  select
    'receipts', null, null, r.id, r.last_receipt, s.sales, null,
    case
      when s.highest > r.last_receipt then format('The register has counted to %s, and there is a receipt %s.', r.last_receipt, s.highest)
      else 'A sale was removed past the functions, or the register''s count was changed.'
    end
  from (select distinct u.id from unnest(p_register_ids) as u (id)) a
  join interlock.registers r on r.id = a.id
  cross join lateral (
    select count(*) as sales, max(q.receipt_number) as highest from interlock.sales q where q.register_id = r.id
  ) s
  where r.last_receipt <> s.sales
    or s.highest > r.last_receipt
$$;

-- Store the answer of a sale with its key.
--
-- Callers: interlock.make_sale, which has called interlock.begin_sale.
-- Locks: the key, held already.
create function interlock.finish_sale(p_register_id uuid, p_key text, p_sale_id uuid, p_answer text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_key is not null then
    update interlock.sale_keys k
    set sale_id = p_sale_id,
        answer = p_answer
    where k.register_id = p_register_id
      and k.key = p_key;
  end if;
end
$$;

-- Take a person who was erased out of the answers that are kept of their sales (interlock.sale_keys).
--
-- Callers: interlock.erase_customer, after nothing personal is left of the customer.
-- Locks: the keys of their sales, which nobody who waits for the customer holds.
create function interlock.forget_buyer(p_customer_id uuid)
returns void
language sql
set search_path = ''
as $$
  update interlock.sale_keys k
  set answer = json_build_object('success', true, 'sale', interlock.sale_to_json(k.sale_id))::text
  from interlock.sales s
  join interlock.customers c on c.id = s.customer_id
  where p_customer_id in (c.id, c.merged_into)
    and k.sale_id = s.id
$$;

-- An amount in minor units as people read it, without its currency.
--
-- Callers: interlock.receipt_rows, interlock.mail_rows, interlock.format_money.
-- Locks: none.
create function interlock.format_amount(p_amount bigint, p_currency text, p_language text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select interlock.format_number(round(p_amount / 10::numeric ^ d.decimals, d.decimals), p_language)
    from (select interlock.currency_decimals(p_currency) as decimals) d
  );
end
$$;

-- A number as people read it in a language, with its thousands apart.
--
-- Callers: interlock.format_amount, interlock.receipt_rows.
-- Locks: none.
create function interlock.format_number(p_number numeric, p_language text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return translate(
    regexp_replace(split_part(p_number::text, '.', 1), '(\d)(?=(\d{3})+$)', '\1,', 'g')
      || substring(p_number::text from '\..*$|$'),
    ',.', case p_language when 'de' then '.,' else ',.' end
  );
end
$$;

-- Undo what a sale that is voided did to points and a wallet: what it took is given back, what it gave is taken again (of points that are
-- spent by then is owed what is not there), what it earned is taken, and what was taken with goods that came back is given back.
--
-- Callers: interlock.void_sale, which holds the sale and those of which something came back, and has counted them there.
-- Locks: the account; as interlock.lock_points; the wallet.
-- Errors: WALLET_UNLINKED where the customer has no account any more, INSUFFICIENT_FUNDS where the money is spent; 55P03 after
--   lock_timeout.
create function interlock.give_buyer_back(p_sale interlock.sales)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_by_wallet constant bigint := (
    select coalesce(sum(t.amount), 0) from interlock.sale_tenders t where t.sale_id = p_sale.id and t.type = 'wallet'
  );
  v_customer_id uuid := (
    select coalesce(c.merged_into, c.id) from interlock.customers c where c.id = p_sale.customer_id
  );
  v_user_id uuid;
begin
  if v_by_wallet > 0 then
    select c.user_id into v_user_id from interlock.customers c where c.id = v_customer_id;
    if v_user_id is null or not interlock.lock_user(v_user_id) then
      perform interlock.raise_error('WALLET_UNLINKED', jsonb_build_object('customer_id', p_sale.customer_id, 'amount', v_by_wallet));
    end if;
  end if;

  perform interlock.take_returned_points(o.original_sale_id)
  from (
    select distinct r.original_sale_id
    from interlock.sale_returns r
    where r.sale_id = p_sale.id
  ) o;
  if v_customer_id is null then
    return;
  end if;

  -- Who was merged meanwhile is somebody else by now.
  v_customer_id := (interlock.lock_points(v_customer_id)).customer_id;
  perform interlock.book_points(
    v_customer_id, 'given_back',
    (
      select coalesce(sum(m.owed - m.points), 0)::bigint
      from interlock.points_movements m
      where m.sale_id = p_sale.id
        and m.kind in ('spent', 'given_back')
    ),
    p_sale_id => p_sale.id
  );
  perform interlock.take_points_back(p_sale.id, p_sale.total + p_sale.returned, p_sale.total + p_sale.returned);

  if v_by_wallet > 0 and p_sale.total < 0 then
    perform interlock.pay_from_wallet(
      interlock.lock_wallet(v_user_id), v_by_wallet, p_sale.currency, 'pos_void', p_sale.id
    );
  elsif v_by_wallet > 0 then
    perform interlock.credit_wallet(v_user_id, v_by_wallet, p_sale.currency, 'pos_void', p_sale.id);
  end if;
end
$$;

-- Give goods to the stock of the location of a till. Those of one product are added up.
--
-- Callers: interlock.put_back, interlock.undo_sold_stock, interlock.end_parked_sale, which hold the stock (interlock.lock_sold_stock).
-- Locks: none beyond those.
-- Errors: STOCK_LIMIT_EXCEEDED.
create function interlock.give_sold_stock(
  p_location_id uuid,
  p_product_ids uuid[],
  p_quantities numeric[],
  p_reason text,
  p_reference_id uuid
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_location_id = interlock.online_location() then
    perform interlock.return_stock(array_agg(g.product_id), array_agg(g.quantity::int), p_reason, p_reference_id)
    from (
      select u.product_id, sum(u.quantity) as quantity
      from unnest(p_product_ids, p_quantities) as u (product_id, quantity)
      group by u.product_id
    ) g;
    return;
  end if;

  perform interlock.set_ledger_context(p_reason, p_reference_id);
  update interlock.inventory i
  set quantity = i.quantity + g.quantity
  from (
    select u.product_id, sum(u.quantity) as quantity
    from unnest(p_product_ids, p_quantities) as u (product_id, quantity)
    group by u.product_id
  ) g
  where i.product_id = g.product_id
    and i.location_id = p_location_id;
  perform interlock.set_ledger_context(null, null);
end
$$;

-- The customer of a sale, with their points locked, and their wallet where it pays or is paid out to. Where something comes back that a
-- customer has bought (p_owner_id) it is them.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Locks: as interlock.find_or_make_customer; the account (for the wallet); as interlock.lock_points; the row of a customer that is filled in; the wallet.
-- Errors: CUSTOMER_NOT_FOUND, CUSTOMERS_DIFFER; VALIDATION_FAILED where there is no wallet; 55P03 after lock_timeout.
create function interlock.lock_buyer(p_customer jsonb, p_owner_id uuid, p_tenders jsonb)
returns interlock.buyer
language plpgsql
set search_path = ''
as $$
declare
  v_owner_id uuid;
  v_account interlock.points_accounts;
  v_buyer interlock.buyer;
begin
  v_buyer.customer_id := case when p_customer is null then p_owner_id else interlock.find_or_make_customer(p_customer) end;

  select
    coalesce(sum(t.amount) filter (where t.type = 'points'), 0),
    coalesce(sum(t.amount) filter (where t.type = 'wallet'), 0)
  into v_buyer.by_points, v_buyer.by_wallet
  from jsonb_to_recordset(p_tenders) as t (type text, amount bigint);

  if v_buyer.by_wallet > 0 then
    select c.user_id into v_buyer.user_id from interlock.customers c where c.id = v_buyer.customer_id;
    if v_buyer.user_id is null or not interlock.lock_user(v_buyer.user_id) then
      perform interlock.refuse_problems(interlock.problem('/customer', 'has no account, and so no wallet'));
    end if;
  end if;

  v_account := interlock.lock_points(v_buyer.customer_id);
  v_buyer.customer_id := v_account.customer_id;
  v_buyer.tier := v_account.tier;
  v_owner_id := interlock.live_customer(p_owner_id);
  if v_owner_id <> v_buyer.customer_id then
    perform interlock.raise_error('CUSTOMERS_DIFFER', jsonb_build_object(
      'customer_ids', jsonb_build_array(v_owner_id, v_buyer.customer_id)
    ));
  end if;
  if p_customer ? 'create' then
    perform interlock.fill_in_customer(v_buyer.customer_id, p_customer -> 'create');
  end if;
  select c.user_id into v_buyer.user_id from interlock.customers c where c.id = v_buyer.customer_id;

  if v_buyer.by_wallet > 0 then
    perform interlock.lock_wallet(v_buyer.user_id);
  end if;
  return v_buyer;
end
$$;

-- Lock a parked sale; the one helper for this kind of lock.
--
-- Callers: interlock.park_sale, interlock.resume_parked_sale, interlock.discard_parked_sale, interlock.take_parked_sale.
-- Locks: its row, waiting, `no key`.
-- Errors: PARKED_SALE_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_parked_sale(p_parked_sale_id uuid)
returns interlock.parked_sales
language plpgsql
set search_path = ''
as $$
declare
  v_parked interlock.parked_sales;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select p.* into v_parked from interlock.parked_sales p where p.id = p_parked_sale_id for no key update;
  if not found then
    perform interlock.raise_error('PARKED_SALE_NOT_FOUND', jsonb_build_object('parked_sale_id', p_parked_sale_id));
  end if;
  return v_parked;
end
$$;

-- Lock a register; the one helper for this kind of lock. It comes last (a sale waits then for the reference of its card payment alone), and what
-- belongs to its open shift is added up or written under it.
--
-- Callers: interlock.open_shift, interlock.close_shift, interlock.move_cash, interlock.void_sale; interlock.make_sale takes it by
--   counting a receipt.
-- Locks: the row of the register, waiting, `no key`.
-- Errors: REGISTER_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_register(p_register_id uuid)
returns interlock.registers
language plpgsql
set search_path = ''
as $$
declare
  v_register interlock.registers;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select r.* into v_register from interlock.registers r where r.id = p_register_id for no key update;
  if not found then
    perform interlock.raise_error('REGISTER_NOT_FOUND', jsonb_build_object('register_id', p_register_id));
  end if;
  return v_register;
end
$$;

-- Lock sales by id; the one helper for this kind of lock. What of a sale has come back, and what was paid out for that, is read and written
-- under it.
--
-- Callers: interlock.take_receipted_returns, interlock.void_sale, interlock.correct_shortfall.
-- Locks: the sales in the order of their ids, waiting, `no key`.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_sales(p_sale_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.sales s
  where s.id = any (p_sale_ids)
  order by s.id
  for no key update;
end
$$;

-- A shift, as it is under the lock of its register.
--
-- Callers: interlock.close_shift, interlock.move_cash, interlock.void_sale.
-- Locks: the register (interlock.lock_register).
-- Errors: SHIFT_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_shift(p_shift_id uuid)
returns interlock.shifts
language plpgsql
set search_path = ''
as $$
declare
  v_shift interlock.shifts;
begin
  perform interlock.lock_register(s.register_id) from interlock.shifts s where s.id = p_shift_id;
  select s.* into v_shift from interlock.shifts s where s.id = p_shift_id;
  if not found then
    perform interlock.raise_error('SHIFT_NOT_FOUND', jsonb_build_object('shift_id', p_shift_id));
  end if;
  return v_shift;
end
$$;

-- Lock the stock of products at the location of a till, all that a call gives and takes, before it gives or takes any of it: so two
-- that exchange the same goods in opposite directions wait for each other in one order.
--
-- Callers: interlock.put_back, interlock.take_what_is_there, interlock.undo_sold_stock, interlock.end_parked_sale.
-- Locks: rows of inventory by id, or as interlock.lock_stock; waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_sold_stock(p_location_id uuid, p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_location_id = interlock.online_location() then
    perform interlock.lock_stock(p_product_ids);
    return;
  end if;

  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.inventory i
  where i.location_id = p_location_id
    and i.product_id = any (p_product_ids)
  order by i.id
  for no key update;
end
$$;

-- What a manager has allowed at a register under this id, without a lock: null unless it can be used yet.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, which uses it later (interlock.use_approval).
-- Locks: none.
create function interlock.look_at_approval(p_approval_id uuid, p_register_id uuid)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select a.actions
    from interlock.sale_approvals a
    where a.id = p_approval_id
      and a.register_id = p_register_id
      and a.used_at is null
      and a.expires_at > interlock.clock()
  );
end
$$;

-- Look at what a sale has, without a lock. What it sees is committed. A product is named by its id, a barcode (of which one
-- scan may be several units) or the inventory id of its stock, which must be that of the location. What was sold by a till that
-- was cut off (p_offline) may have its price with it, and be no longer for sale.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals and interlock.price_returns, with lines in which interlock.find_sale_problems has found no problem.
-- Locks: none.
create function interlock.look_at_sale(p_lines jsonb, p_location_id uuid, p_offline boolean)
returns interlock.sale_look
language plpgsql
stable
set search_path = ''
as $$
declare
  v_online constant boolean := p_location_id = interlock.online_location();
  v_look interlock.sale_look;
begin
  with lines as materialized (
    select
      l.n - 1 as line,
      l.inventory_id as asked_id,
      l.barcode,
      b.barcode is null and l.barcode is not null as no_barcode,
      coalesce(l.product_id, b.product_id, i.product_id, l.inventory_id) as product_id,
      case when l.inventory_id is not null then coalesce(i.location_id, interlock.online_location()) <> p_location_id end as elsewhere,
      l.quantity * coalesce(b.units, 1) as quantity,
      l.unit_price,
      (l.discount ->> 'amount')::numeric as off_amount,
      (l.discount ->> 'percent')::numeric as off_percent,
      l.discount ->> 'reason' as reason
    from rows from (
      jsonb_to_recordset(p_lines) as (
        inventory_id uuid, product_id uuid, barcode text, quantity numeric, unit_price bigint, discount jsonb
      )
    ) with ordinality as l (inventory_id, product_id, barcode, quantity, unit_price, discount, n)
    left join lateral (
      select c.barcode, c.product_id, c.units from interlock.product_barcodes c where c.barcode = l.barcode limit 1
    ) b on true
    left join lateral (
      select r.product_id, r.location_id from interlock.inventory r where r.id = l.inventory_id limit 1
    ) i on true
  ),
  seen as (
    select
      l.*,
      p.id is not null as is_product,
      p.active, p.name, coalesce(l.unit_price, p.price) as price, p.currency, p.kind, p.stock_policy,
      case when v_online then l.product_id else s.id end as inventory_id,
      case when v_online then 0 else p.decimals end as decimals,
      case when v_online then p.available_quantity else coalesce(s.quantity, 0) end as there,
      floor(l.quantity * coalesce(l.unit_price, p.price) + 0.5) as subtotal
    from lines l
    left join lateral (
      select
        q.id, q.active, q.name, q.price, q.currency, q.kind, q.stock_policy, q.decimals,
        (
          q.available_quantity - coalesce((select sum(c.used) from interlock.counter_slots c where c.owner_id = q.id), 0)
            + case q.stock_policy when 'backorder' then greatest(q.backorder_limit - q.backordered, 0) else 0 end
        )::numeric as available_quantity
      from interlock.products q
      where q.id = l.product_id
      limit 1
    ) p on true
    left join lateral (
      select r.id, r.quantity
      from interlock.inventory r
      where r.product_id = l.product_id
        and r.location_id = p_location_id
      limit 1
    ) s on not v_online
  ),
  priced as (
    select
      s.*,
      coalesce(s.off_amount, floor(s.subtotal * s.off_percent / 100 + 0.5), 0)::numeric as discount,
      sum(s.quantity) over (partition by s.product_id) as of_product,
      row_number() over (partition by s.product_id order by s.line) as nth
    from seen s
  )
  select
    array_agg(s.product_id order by s.line),
    array_agg(s.inventory_id order by s.line),
    array_agg(s.name order by s.line),
    array_agg(s.quantity order by s.line),
    array_agg(s.price order by s.line),
    array_agg(least(s.subtotal, 90071992547409) order by s.line),
    array_agg(least(s.discount, 90071992547409) order by s.line),
    array_agg(s.reason order by s.line),
    array_agg(s.stock_policy = 'untracked' order by s.line),
    array_agg(distinct s.currency::text) filter (where s.currency is not null),
    jsonb_agg(distinct s.barcode) filter (where s.no_barcode),
    jsonb_agg(distinct s.asked_id) filter (where not s.is_product and s.asked_id is not null),
    jsonb_agg(distinct s.product_id)
      filter (where s.product_id is not null and case when s.is_product then not (s.active or p_offline) else s.asked_id is null end),
    jsonb_agg(distinct s.asked_id) filter (where s.elsewhere and s.is_product),
    (
      select jsonb_agg(
        jsonb_build_object('pointer', format('/lines/%s%s', b.line, b.member), 'message', b.message) order by b.line, b.member
      )
      from (
        select k.line, '' as member, 'is a digital product, which is not sold at a till' as message
        from priced k
        where k.kind = 'digital'
        union all
        select k.line, '/quantity', case
          when v_online then 'must be a whole number: the web shop''s stock is sold in whole units'
          else format('must have at most %s decimals, as the product has', k.decimals)
        end
        from priced k
        where k.quantity <> round(k.quantity, k.decimals)
        union all
        select k.line, '/discount', format('must be at most %s, which is what the line costs', k.subtotal)
        from priced k
        where k.discount > k.subtotal
        union all
        select k.line, '/quantity', 'must come to at most 90071992547409 minor units'
        from priced k
        where k.subtotal > 90071992547409
      ) b
    ),
    max(case when s.discount > 0 then 100 * s.discount / greatest(s.subtotal, 1) end),
    jsonb_agg(
      jsonb_build_object(
        'inventory_id', s.inventory_id,
        'product_id', s.product_id,
        'location_id', p_location_id,
        'requested', trim_scale(s.of_product),
        'available', trim_scale(s.there)
      )
      order by s.line
    ) filter (
      where s.nth = 1 and s.stock_policy <> 'untracked' and s.kind <> 'digital' and s.elsewhere is not true and s.there < s.of_product
    )
  into v_look
  from priced s;
  return v_look;
end
$$;

-- Why what a look without a lock has seen cannot be sold: codes, the first one first. p_currency is the register's, null where there is none; a
-- discount beyond p_limit per cent and, with p_short, what is not there are refused as well.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, interlock.park_sale, interlock.price_returns; then interlock.refuse_look.
-- Locks: none.
create function interlock.look_refusals(p_look interlock.sale_look, p_currency text, p_limit numeric, p_short boolean)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array_remove(array[
    case when p_currency is null then 'REGISTER_NOT_FOUND' end,
    case when p_look.no_barcodes is not null then 'BARCODE_NOT_FOUND' end,
    case when p_look.no_inventory is not null then 'INVENTORY_NOT_FOUND' end,
    case when p_look.no_products is not null then 'PRODUCT_NOT_FOUND' end,
    case when p_look.elsewhere is not null then 'STOCK_ELSEWHERE' end,
    case when p_look.problems is not null then 'VALIDATION_FAILED' end,
    case when p_look.currencies <> array[p_currency] then 'MIXED_CURRENCIES' end,
    case when p_look.discount_percent > p_limit then 'DISCOUNT_NOT_ALLOWED' end,
    case when p_short and p_look.shortages is not null and p_currency is not null then 'INSUFFICIENT_INVENTORY' end
  ], null);
end
$$;

-- Make a sale at a till, once nothing is wrong with the shape of its request (p_request is what was given of it): stock of every line, the
-- sale with its lines and tenders, the drawer, the receipt number and the stored answer.
--
-- A look without a lock comes first, as in interlock.checkout: what it refuses no order of events could have sold, and before it
-- refuses it asks for the answer of a twin. Prices and taxes are the database's (docs/prices.md), those that the look has seen.
-- The hottest rows come late: the stock, and last the register, whose receipts are numbered without gaps and whose shift
-- must be open then: so a sale is in the closing report, or finds the shift closed.
--
-- A sale with p_client_time has happened at a till that was cut off, so nothing refuses it that was true at another time: of the
-- stock what is there is taken and the rest written down (interlock.sale_shortfalls), prices are those that were paid, and
-- it belongs to the shift of then, closed or not.
--
-- Goods that come back (p_returns) are taken first, and what of them goes into the stock is put there in the same pass in which
-- the rest is sold: an exchange has one receipt and one balance, which is paid out if it is below nothing. It is of the customer who
-- had bought them, if they are known.
--
-- Callers: interlock.pos_sale, which tells what else is wrong when this refuses. What it refuses, and in which order, interlock.find_sale_refusals
--   goes through as well.
-- Locks: key of the sale; sales of which something comes back, as interlock.take_returns; an approval; with a customer what interlock.lock_buyer locks, of what they bring back also as interlock.take_returned_points; with a code what interlock.redeem_promo locks; a parked sale; stock as
--   interlock.put_back, then interlock.take_sold_stock or interlock.take_what_is_there; the register. References of card payments,
--   in their order, wait for who books the same one.
-- Errors: those of interlock.pos_sale.
create function interlock.make_sale(
  p_register_id uuid,
  p_lines jsonb,
  p_tenders jsonb,
  p_returns jsonb,
  p_customer jsonb,
  p_promo_code text,
  p_parked_sale_id uuid,
  p_client_time timestamptz,
  p_shift_id uuid,
  p_approval_id uuid,
  p_expected_total bigint,
  p_idempotency_key text,
  p_role text,
  p_request jsonb
)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_offline constant boolean := p_client_time is not null;
  v_sale_id constant uuid := interlock.new_id();
  v_register interlock.registers;
  v_look interlock.sale_look;
  v_limit numeric;
  v_refusals text[];
  v_tax bigint;
  v_tax_included bigint;
  v_taxes bigint[];
  v_percents numeric[];
  v_inclusive boolean[];
  v_subtotal bigint;
  v_discount bigint;
  v_returns interlock.sale_returns[];
  v_root_sale_id uuid;
  v_original_id uuid;
  v_owner_id uuid;
  v_taken_back bigint := 0;
  v_returned bigint := 0;
  v_put record;
  v_parked interlock.parked_sales;
  v_approved text[];
  v_approved_by uuid;
  v_total bigint;
  v_change bigint := 0;
  v_references jsonb;
  v_promo_discounts bigint[];
  v_buyer interlock.buyer;
  v_loyalty jsonb;
  v_receipt bigint;
  v_shift interlock.shifts;
  v_shortfalls jsonb;
  v_sale json;
  v_answer text;
begin
  select r.* into v_register from interlock.registers r where r.id = p_register_id;
  v_look := interlock.look_at_sale(p_lines, v_register.location_id, v_offline);
  if p_approval_id is not null then
    v_approved := interlock.look_at_approval(p_approval_id, p_register_id);
  end if;
  if p_role = 'cashier' and ('discount' = any (v_approved)) is not true then
    select s.max_cashier_discount into v_limit from interlock.settings s;
  end if;

  v_refusals := interlock.look_refusals(
    v_look, v_register.currency, case when not v_offline then v_limit end,
    -- What comes back, or was kept, may be what is sold.
    not v_offline and p_returns is null and p_parked_sale_id is null
  );
  if p_approval_id is not null and v_approved is null and v_refusals <@ array['DISCOUNT_NOT_ALLOWED', 'INSUFFICIENT_INVENTORY'] then
    v_refusals := array['APPROVAL_NOT_FOUND'] || v_refusals;
  end if;
  if v_refusals <> '{}' then
    v_answer := interlock.find_sale_answer(p_register_id, p_idempotency_key, p_client_time, p_request);
    if v_answer is not null then
      return v_answer::json;
    end if;
    perform interlock.raise_error('APPROVAL_NOT_FOUND', jsonb_build_object('approval_id', p_approval_id))
    where v_refusals[1] = 'APPROVAL_NOT_FOUND';
    perform interlock.refuse_look(v_refusals[1], v_look, p_register_id, v_register, '/lines', v_limit);
  end if;

  v_answer := interlock.begin_sale(p_register_id, p_idempotency_key, p_client_time, p_request);
  if v_answer is not null then
    return v_answer::json;
  end if;

  if p_returns is not null then
    select t.o_returns, t.o_root_sale_id, t.o_customer_id
    into v_returns, v_root_sale_id, v_owner_id
    from interlock.take_returns(
      p_returns, v_sale_id, v_register, p_role = 'manager' or coalesce('return_without_receipt' = any (v_approved), false)
    ) t;
    select sum(r.amount) into v_returned from unnest(v_returns) as r;
    v_original_id := v_returns[1].original_sale_id;
  end if;
  if p_approval_id is not null then
    v_approved_by := interlock.use_approval(p_approval_id, p_register_id, array['discount', 'return_without_receipt'], v_sale_id);
  end if;
  if p_customer is not null or v_owner_id is not null then
    v_buyer := interlock.lock_buyer(p_customer, v_owner_id, p_tenders);
  elsif p_returns is not null and p_tenders @? '$[*] ? (@.type == "wallet" || @.type == "points")' then
    perform interlock.refuse_problems(interlock.problem('/customer', 'is required to pay with a wallet or points'));
  end if;
  if v_original_id is not null then
    v_taken_back := interlock.take_returned_points(v_original_id);
  end if;
  if p_promo_code is not null then
    v_promo_discounts := interlock.redeem_sale_promo(p_promo_code, v_buyer, v_sale_id, v_register.currency, v_look);
  end if;

  select c.o_tax, c.o_tax_included, c.o_taxes, c.o_percents, c.o_inclusive, c.o_subtotal, c.o_discount, c.o_total - v_returned
  into v_tax, v_tax_included, v_taxes, v_percents, v_inclusive, v_subtotal, v_discount, v_total
  from interlock.charge_sale(v_look, v_promo_discounts, v_register.currency) c;
  if v_total <> p_expected_total and not v_offline then
    perform interlock.refuse_price(p_expected_total, v_total, v_subtotal, v_register.currency, v_look);
  end if;
  if v_total < 0 then
    perform interlock.refuse_refund(p_tenders, v_total, v_root_sale_id, v_register.currency, v_buyer.customer_id);
  else
    v_change := interlock.refuse_tenders(p_tenders, v_total, v_register.currency);
  end if;
  if v_buyer.customer_id is not null then
    v_loyalty := interlock.charge_buyer(
      v_buyer, v_sale_id, v_root_sale_id, v_register.currency, p_tenders, v_total, v_look.product_ids,
      array(
        select u.subtotal - u.discount - coalesce(u.promo, 0) + case when u.inclusive then 0 else u.tax end
        from unnest(v_look.subtotals, v_look.discounts, v_promo_discounts, v_inclusive, v_taxes) with ordinality
          as u (subtotal, discount, promo, inclusive, tax, n)
        order by u.n
      ),
      interlock.paid_by_points(v_total, v_returned, v_buyer.by_points, v_original_id),
      case when v_owner_id is null then 0 else v_taken_back end
    );
  end if;

  if p_parked_sale_id is not null then
    v_parked := interlock.take_parked_sale(p_parked_sale_id, v_register);
  end if;
  if v_returns is not null or p_parked_sale_id is not null then
    v_put := interlock.put_back(v_look, v_register.location_id, v_sale_id, v_returns, v_parked);
    v_look := v_put.o_look;
    v_returns := v_put.o_returns;
  end if;
  if v_offline then
    v_shortfalls := interlock.take_what_is_there(v_look, v_register.location_id, v_sale_id);
  else
    perform interlock.take_sold_stock(v_look, v_register.location_id, v_sale_id);
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.registers r
  set last_receipt = r.last_receipt + 1
  where r.id = p_register_id
  returning r.last_receipt into v_receipt;
  v_shift := interlock.shift_of_sale(p_register_id, p_shift_id, p_client_time);

  insert into interlock.sales (
    id, register_id, shift_id, location_id, receipt_number, currency, subtotal, discount, tax, tax_included,
    returned, returns, root_sale_id, total, change_due,
    customer_id, promo_code, loyalty, cashier, approved_by, sold_at, offline, late, needs_review
  )
  values (
    v_sale_id, p_register_id, v_shift.id, v_register.location_id, v_receipt, v_register.currency,
    v_subtotal, v_discount, v_tax, v_tax_included,
    v_returned, coalesce(cardinality(v_returns), 0), v_root_sale_id, v_total, v_change,
    v_buyer.customer_id, p_promo_code, v_loyalty, auth.uid(), v_approved_by,
    coalesce(p_client_time, now()), v_offline, v_shift.closed_at is not null,
    case when v_offline then interlock.review_sale(v_look, v_limit, p_expected_total, v_total) else '[]' end
  );
  insert into interlock.sale_lines (
    sale_id, line, product_id, inventory_id, name, quantity, unit_price, subtotal, discount, discount_reason,
    promo_discount, tax, tax_percent, tax_inclusive, total, untracked
  )
  select
    v_sale_id, l.n - 1, l.product_id, l.inventory_id, l.name, l.quantity, l.unit_price, l.subtotal, l.discount, l.reason,
    coalesce(l.promo_discount, 0), l.tax, l.percent, l.inclusive,
    l.subtotal - l.discount - coalesce(l.promo_discount, 0) + case when l.inclusive then 0 else l.tax end,
    l.untracked
  from unnest(
    v_look.product_ids, v_look.inventory_ids, v_look.names, v_look.quantities, v_look.unit_prices, v_look.subtotals,
    v_look.discounts, v_look.reasons, v_promo_discounts, v_look.untracked, v_taxes, v_percents, v_inclusive
  ) with ordinality as l (
    product_id, inventory_id, name, quantity, unit_price, subtotal, discount, reason, promo_discount, untracked, tax, percent,
    inclusive, n
  );
  if v_returns is not null then
    insert into interlock.sale_returns select r.* from unnest(v_returns) as r;
  end if;
  with tenders as (
    insert into interlock.sale_tenders (sale_id, n, type, amount, reference)
    select v_sale_id, t.n - 1, t.type, t.amount, t.reference
    from rows from (jsonb_to_recordset(p_tenders) as (type text, amount bigint, reference text))
      with ordinality as t (type, amount, reference, n)
    order by t.reference, t.n
    on conflict do nothing
    returning n
  )
  select jsonb_agg(t.reference order by t.n)
  into v_references
  from rows from (jsonb_to_recordset(p_tenders) as (reference text)) with ordinality as t (reference, n)
  where t.n - 1 not in (select d.n from tenders d);
  if v_references is not null then
    perform interlock.raise_error('TENDER_REFERENCE_USED', jsonb_build_object('references', v_references));
  end if;

  if p_parked_sale_id is not null then
    update interlock.parked_sales p set sale_id = v_sale_id where p.id = p_parked_sale_id;
  end if;
  if v_shortfalls <> '[]' then
    perform interlock.note_shortfalls(v_sale_id, v_shortfalls);
  end if;

  v_sale := interlock.sale_to_json(v_sale_id);
  v_answer := json_build_object('success', true, 'sale', v_sale)::text;
  perform interlock.note_sale('sale.completed', v_sale::jsonb);
  perform interlock.finish_sale(p_register_id, p_idempotency_key, v_sale_id, v_answer);
  return v_answer::json;
end
$$;

-- What public.move_cash does, with its owner's rights: put cash into the drawer of an open shift (paid_in) or take it out of it
-- (paid_out), once for each reference. No more is taken out than has to be there.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.move_cash.
-- Locks: the reference; the register; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, SHIFT_NOT_FOUND, SHIFT_CLOSED, CASH_EXCEEDED;
--   55P03 is transient.
-- Security definer: nobody has the right to write movements of cash.
create function interlock.move_cash(p_shift_id uuid, p_kind text, p_amount bigint, p_reason text, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_answer jsonb;
  v_shift interlock.shifts;
  v_expected bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  if p_shift_id is null then
    v_problems := v_problems || interlock.problem('/p_shift_id', 'is required');
  end if;
  if (p_kind in ('paid_in', 'paid_out')) is not true then
    v_problems := v_problems || interlock.problem('/p_kind', 'must be paid_in or paid_out');
  end if;
  if (p_amount between 1 and 9007199254740991) is not true then
    v_problems := v_problems || interlock.problem('/p_amount', 'must be a whole number of minor units, 1 or more');
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must be 1 to 200 characters, without control characters');
  end if;
  if p_reference is null then
    v_problems := v_problems || interlock.problem('/p_reference', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'move_cash', p_reference, jsonb_build_array(p_shift_id, p_kind, p_amount, p_reason)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  v_shift := interlock.lock_shift(p_shift_id);
  if v_shift.closed_at is not null then
    perform interlock.raise_error('SHIFT_CLOSED', jsonb_build_object(
      'shift_id', p_shift_id, 'closed_at', v_shift.closed_at, 'counted_cash', v_shift.counted_cash
    ));
  end if;
  v_expected := interlock.expected_cash(p_shift_id);
  if p_kind = 'paid_out' and p_amount > v_expected then
    perform interlock.raise_error('CASH_EXCEEDED', jsonb_build_object(
      'shift_id', p_shift_id, 'expected_cash', v_expected, 'requested', p_amount
    ));
  end if;

  insert into interlock.cash_movements (shift_id, kind, amount, reason, actor)
  values (p_shift_id, p_kind, p_amount, p_reason, auth.uid());
  return interlock.finish_reference('move_cash', p_reference, jsonb_build_object(
    'success', true,
    'shift_id', p_shift_id,
    'kind', p_kind,
    'amount', p_amount,
    'expected_cash', v_expected + case p_kind when 'paid_in' then p_amount else -p_amount end
  ));
end
$$;

-- Tell what has become of a sale, as its answer shows it, but for who bought: that has to stay in one table.
--
-- Callers: interlock.make_sale, interlock.void_sale; with what interlock.sale_to_json has made of it.
-- Locks: none.
create function interlock.note_sale(p_type text, p_sale jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.note_event(
    p_type, p_sale ->> 'id', p_sale - 'customer' || jsonb_build_object('customer_id', p_sale #> '{customer,id}')
  );
end
$$;

-- Write down what a sale of a till that was cut off has sold of stock that was not there, and tell it.
--
-- Callers: interlock.make_sale, with what interlock.take_what_is_there has answered.
-- Locks: none.
create function interlock.note_shortfalls(p_sale_id uuid, p_shortfalls jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into interlock.sale_shortfalls (sale_id, product_id, location_id, inventory_id, sold, quantity)
  select p_sale_id, f.product_id, f.location_id, f.inventory_id, f.requested, f.requested - f.available
  from jsonb_to_recordset(p_shortfalls) as f (
    product_id uuid, location_id uuid, inventory_id uuid, requested numeric, available numeric
  );
  perform interlock.note_event(
    'stock.oversold_offline', p_sale_id::text, jsonb_build_object('sale_id', p_sale_id, 'shortfalls', p_shortfalls)
  );
end
$$;

-- What public.open_shift does, with its owner's rights: begin a shift at a register, with what is in its drawer. A till that was cut
-- off makes its id (p_shift_id) and says when it began (p_client_time); the same id again answers the same shift.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.open_shift.
-- Locks: the register; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, REGISTER_NOT_FOUND (also one that is not active), SHIFT_ALREADY_OPEN,
--   IDEMPOTENCY_KEY_REUSED (the id is that of another shift); 55P03 is transient.
-- Security definer: nobody has the right to write shifts.
create function interlock.open_shift(
  p_register_id uuid,
  p_opening_cash bigint,
  p_shift_id uuid,
  p_client_time timestamptz
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_shift interlock.shifts;
  v_active boolean;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  if p_register_id is null then
    v_problems := v_problems || interlock.problem('/p_register_id', 'is required');
  end if;
  if (p_opening_cash between 0 and 9007199254740991) is not true then
    v_problems := v_problems || interlock.problem('/p_opening_cash', 'must be a whole number of minor units, 0 or more');
  end if;
  if p_client_time is not null then
    if p_shift_id is null then
      v_problems := v_problems || interlock.problem('/p_shift_id', 'is required with p_client_time');
    end if;
    v_problems := v_problems || interlock.find_client_time_problems(p_client_time, '/p_client_time');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_active := (interlock.lock_register(p_register_id)).active;
  select s.* into v_shift from interlock.shifts s where s.id = p_shift_id;
  if not found then
    if not v_active then
      perform interlock.raise_error('REGISTER_NOT_FOUND', jsonb_build_object('register_id', p_register_id));
    end if;
    select s.* into v_shift from interlock.shifts s where s.register_id = p_register_id and s.closed_at is null;
    if found then
      perform interlock.raise_error('SHIFT_ALREADY_OPEN', jsonb_build_object(
        'register_id', p_register_id, 'shift_id', v_shift.id, 'opened_at', v_shift.opened_at
      ));
    end if;

    insert into interlock.shifts (id, register_id, opened_at, opened_by, opening_cash)
    values (
      coalesce(p_shift_id, interlock.new_id()), p_register_id, coalesce(p_client_time, now()), auth.uid(), p_opening_cash
    )
    -- Somebody may open one of this id at another register.
    on conflict on constraint shifts_pkey do nothing
    returning * into v_shift;
  end if;
  if (v_shift.register_id = p_register_id and v_shift.opening_cash = p_opening_cash) is not true then
    perform interlock.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('operation', 'open_shift'));
  end if;

  return jsonb_build_object('success', true, 'shift', jsonb_build_object(
    'id', v_shift.id, 'register_id', p_register_id, 'opened_at', v_shift.opened_at, 'opening_cash', p_opening_cash
  ));
end
$$;

-- How much of what the lines of a sale cost is paid with points: by its own tenders (or less what they pay out), and by those of
-- the sale whose goods come back with it, in the part of it that they are worth.
--
-- Callers: interlock.make_sale, interlock.share_by_points.
-- Locks: none.
create function interlock.paid_by_points(p_total bigint, p_returned bigint, p_by_points bigint, p_original_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return greatest(0, least(
    p_total + p_returned,
    case when p_total < 0 then -p_by_points else p_by_points end
      + case when p_original_id is null then 0 else interlock.share_by_points(p_original_id, p_returned) end
  ));
end
$$;

-- What public.park_sale does, with its owner's rights: put a cart aside, for any till of the location. With p_hold (the setting
-- hold_parked_stock, if it is not said) its goods are taken out of the stock and kept for it, until p_expires_at (the setting
-- parked_sale_limit). With p_parked_sale_id what this till has resumed is parked again, as it is now. Once for each reference.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.park_sale.
-- Locks: the reference; as interlock.find_or_make_customer; the parked sale; stock as interlock.put_back
--   and interlock.take_sold_stock. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, REGISTER_NOT_FOUND, BARCODE_NOT_FOUND,
--   INVENTORY_NOT_FOUND, PRODUCT_NOT_FOUND, STOCK_ELSEWHERE, MIXED_CURRENCIES, INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED,
--   PARKED_SALE_NOT_FOUND, PARKED_SALE_TAKEN, PARKED_SALE_ENDED; those of interlock.find_or_make_customer; 55P03 is transient.
-- Security definer: nobody has the right to write parked sales or stock.
create function interlock.park_sale(
  p_register_id uuid,
  p_name text,
  p_lines jsonb,
  p_customer jsonb,
  p_hold boolean,
  p_expires_at timestamptz,
  p_parked_sale_id uuid,
  p_reference text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_problems jsonb;
  v_answer jsonb;
  v_register interlock.registers;
  v_look interlock.sale_look;
  v_refusals text[];
  v_hold constant boolean := coalesce(p_hold, (select s.hold_parked_stock from interlock.settings s));
  v_expires_at constant timestamptz := coalesce(
    p_expires_at, interlock.clock() + (select s.parked_sale_limit from interlock.settings s)
  );
  v_customer_id uuid;
  v_parked interlock.parked_sales;
  v_put record;
  v_product_ids uuid[] := '{}'::uuid[];
  v_quantities numeric[] := '{}'::numeric[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  v_problems := coalesce(interlock.find_sale_problems(interlock.given(jsonb_build_object(
    'register_id', p_register_id, 'lines', p_lines, 'customer', p_customer
  )), null), '[]');
  if interlock.is_line(p_name, 200) is not true then
    v_problems := v_problems || interlock.problem('/name', 'must be 1 to 200 characters, without control characters');
  end if;
  if p_expires_at <= interlock.clock() then
    v_problems := v_problems || interlock.problem('/expires_at', 'must be in the future');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference('park_sale', p_reference, jsonb_build_array(
    p_register_id, p_name, p_lines, p_customer, p_hold, p_expires_at, p_parked_sale_id
  ));
  if v_answer is not null then
    return v_answer;
  end if;

  select r.* into v_register from interlock.registers r where r.id = p_register_id;
  v_look := interlock.look_at_sale(p_lines, v_register.location_id, false);
  v_refusals := interlock.look_refusals(v_look, v_register.currency, null, v_hold and p_parked_sale_id is null);
  if v_refusals <> '{}' then
    perform interlock.refuse_look(v_refusals[1], v_look, p_register_id, v_register, '/lines');
  end if;

  if p_customer is not null then
    v_customer_id := interlock.find_or_make_customer(p_customer);
  end if;
  if p_parked_sale_id is not null then
    v_parked := interlock.claim_parked_sale(p_parked_sale_id, v_register);
  end if;

  if v_hold then
    select coalesce(array_agg(h.product_id), '{}'), coalesce(array_agg(h.quantity), '{}')
    into v_product_ids, v_quantities
    from (
      select u.product_id, sum(u.quantity) as quantity
      from unnest(v_look.product_ids, v_look.quantities, v_look.untracked) as u (product_id, quantity, untracked)
      where not u.untracked
      group by u.product_id
    ) h;
  end if;
  if p_parked_sale_id is not null then
    v_put := interlock.put_back(v_look, v_register.location_id, p_parked_sale_id, null, v_parked);
    v_look := v_put.o_look;
  end if;
  v_parked.id := coalesce(p_parked_sale_id, interlock.new_id());
  if v_hold then
    perform interlock.take_sold_stock(v_look, v_register.location_id, v_parked.id, 'pos_park');
  end if;

  insert into interlock.parked_sales as p (
    id, location_id, register_id, name, lines, customer_id, hold, held_product_ids, held_quantities, parked_by, expires_at
  )
  values (
    v_parked.id, v_register.location_id, p_register_id, p_name, p_lines, v_customer_id, v_hold, v_product_ids, v_quantities,
    auth.uid(), v_expires_at
  )
  on conflict on constraint parked_sales_pkey do update
    set register_id = excluded.register_id,
        name = excluded.name,
        lines = excluded.lines,
        customer_id = excluded.customer_id,
        hold = excluded.hold,
        held_product_ids = excluded.held_product_ids,
        held_quantities = excluded.held_quantities,
        parked_by = excluded.parked_by,
        expires_at = excluded.expires_at,
        status = 'parked',
        resumed_at = null
  returning p.* into v_parked;

  return interlock.finish_reference('park_sale', p_reference, jsonb_build_object(
    'success', true, 'parked_sale', interlock.parked_sale_to_json(v_parked)
  ));
end
$$;

-- A parked sale as it is answered. Who it is for is an id alone: answers are stored under their references.
--
-- Callers: interlock.park_sale, interlock.resume_parked_sale, interlock.discard_parked_sale.
-- Locks: none.
create function interlock.parked_sale_to_json(p_parked interlock.parked_sales)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_parked.id,
    'location_id', p_parked.location_id,
    'register_id', p_parked.register_id,
    'name', p_parked.name,
    'lines', p_parked.lines,
    'customer_id', p_parked.customer_id,
    'hold', p_parked.hold,
    'status', p_parked.status,
    'parked_at', p_parked.parked_at,
    'expires_at', p_parked.expires_at,
    'sale_id', p_parked.sale_id
  );
end
$$;

-- A refusal of a sale as problems of its request, each with its pointer, words and code (but for VALIDATION_FAILED, which tells them itself), and
-- of the details what is about it.
--
-- Callers: interlock.find_sale_refusals.
-- Locks: none.
create function interlock.point_at_refusal(
  p_code text,
  p_detail jsonb,
  p_request jsonb,
  p_currency text,
  p_limit numeric,
  p_look interlock.sale_look,
  p_back_look interlock.sale_look
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_details constant jsonb := p_detail - array['message', 'retryable'];
  v_problems jsonb;
begin
  if p_code = 'VALIDATION_FAILED' then
    return v_details -> 'problems';
  end if;

  -- Of lines, those that it is about.
  select jsonb_agg(
    jsonb_build_object(
      'pointer', a.list || '/' || a.n - 1 || a.member, 'code', p_code, 'message', p_detail -> 'message', 'details', v_details || a.details
    )
    order by a.list, a.n
  )
  into v_problems
  from (
    select w.list, l.n, m.member, m.details
    from (values
      ('/lines', p_request -> 'lines', p_look),
      ('/returns', p_request -> 'returns', p_back_look)
    ) as w (list, items, look)
    cross join lateral rows from (
      jsonb_to_recordset(w.items) as (inventory_id uuid, product_id uuid, barcode text, sale_id uuid, line int),
      unnest((w.look).product_ids), unnest((w.look).subtotals), unnest((w.look).discounts)
    ) with ordinality as l (inventory_id, asked_id, barcode, sale_id, line, product_id, subtotal, discount, n)
    cross join lateral (
      select case
        when l.barcode is not null then '/barcode'
        when l.inventory_id is not null then '/inventory_id'
        else '/product_id'
      end as member
    ) named
    cross join lateral (
      select named.member, jsonb_build_object('barcodes', jsonb_build_array(l.barcode)) as details
      where p_code = 'BARCODE_NOT_FOUND' and v_details -> 'barcodes' ? l.barcode
      union all
      select named.member, jsonb_build_object('inventory_ids', jsonb_build_array(l.inventory_id))
      where p_code in ('INVENTORY_NOT_FOUND', 'STOCK_ELSEWHERE') and v_details -> 'inventory_ids' ? l.inventory_id::text
      union all
      select named.member, jsonb_build_object('product_ids', jsonb_build_array(l.product_id))
      where p_code = 'PRODUCT_NOT_FOUND' and v_details -> 'product_ids' ? l.product_id::text
      union all
      select named.member, '{}'
      from interlock.products p
      where p_code = 'MIXED_CURRENCIES' and p.id = l.product_id and p.currency <> p_currency
      union all
      select '/discount', '{}'
      where p_code = 'DISCOUNT_NOT_ALLOWED' and 100 * l.discount > p_limit * greatest(l.subtotal, 1)
      union all
      select '/quantity', jsonb_build_object('shortages', jsonb_build_array(s.shortage))
      from jsonb_array_elements(v_details -> 'shortages') as s (shortage)
      where w.list = '/lines'
        and s.shortage ->> 'product_id' = l.product_id::text
        and l.n = array_position(p_look.product_ids, l.product_id)
      union all
      select '/quantity', jsonb_build_object('lines', jsonb_build_array(e.line))
      from jsonb_array_elements(v_details -> 'lines') as e (line)
      where p_code = 'RETURN_EXCEEDS_SOLD' and w.list = '/returns' and (e.line ->> 'line')::int = l.line
    ) m
  ) a;
  if v_problems is not null then
    return v_problems;
  end if;

  return (
    select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'pointer', t.pointer, 'code', p_code, 'message', p_detail -> 'message', 'details', nullif(v_details, '{}')
    )))
    from (
      select case
        when p_code = 'REGISTER_NOT_FOUND' then '/register_id'
        when p_code in ('SHIFT_NOT_OPEN', 'SHIFT_NOT_FOUND') then case when p_request ? 'shift_id' then '/shift_id' else '/register_id' end
        when p_code in ('SALE_NOT_FOUND', 'SALE_VOIDED') then '/returns/0/sale_id'
        when p_code in ('RETURN_NOT_ALLOWED', 'STOCK_LIMIT_EXCEEDED', 'MIXED_CURRENCIES') then '/returns'
        when p_code in ('CUSTOMER_NOT_FOUND', 'CUSTOMERS_DIFFER') then '/customer'
        when p_code like 'PROMO\_%' then '/promo_code'
        when p_code like 'PARKED\_SALE\_%' then '/parked_sale_id'
        when p_code = 'APPROVAL_NOT_FOUND' then '/approval_id'
        when p_code = 'PRICE_CHANGED' then '/expected_total'
        when p_code in ('UNDERPAID', 'OVERPAID', 'REFUND_EXCEEDS_PAID') then '/tenders'
        when p_code not in ('TENDER_REFERENCE_USED', 'INSUFFICIENT_POINTS', 'INSUFFICIENT_FUNDS', 'CURRENCY_MISMATCH') then ''
      end as pointer
      union all
      select '/tenders/' || t.n - 1 || case p_code when 'TENDER_REFERENCE_USED' then '/reference' else '' end
      from rows from (jsonb_to_recordset(p_request -> 'tenders') as (type text, reference text))
        with ordinality as t (type, reference, n)
      where case p_code
        when 'TENDER_REFERENCE_USED' then v_details -> 'references' ? t.reference
        when 'INSUFFICIENT_POINTS' then t.type = 'points'
        when 'INSUFFICIENT_FUNDS' then t.type = 'wallet'
        when 'CURRENCY_MISMATCH' then t.type = 'wallet'
        else false
      end
    ) t
    where t.pointer is not null
  );
end
$$;

-- How many points a customer gets back where so much is paid out in points: of all that they spent on the sale with which it began and on
-- what it was exchanged for, the share of the amount that has been paid out by now, this time included, rounded down, less what they got before.
-- So parts always sum to what was spent, whatever a point is worth by now.
--
-- Callers: interlock.charge_buyer, whose caller holds that sale, after interlock.refuse_refund.
-- Locks: none beyond it.
create function interlock.points_to_give_back(p_customer_id uuid, p_root_sale_id uuid, p_amount bigint)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  v_paid numeric;
  v_refunded numeric;
  v_spent numeric;
  v_given numeric;
begin
  select
    coalesce(sum(t.amount) filter (where s.total >= 0), 0),
    coalesce(sum(t.amount) filter (where s.total < 0), 0) + p_amount
  into v_paid, v_refunded
  from interlock.exchanged_sales(p_root_sale_id) s
  join interlock.sale_tenders t on t.sale_id = s.id and t.type = 'points'
  where s.customer_id = p_customer_id;
  select
    coalesce(sum(-m.points) filter (where m.kind = 'spent'), 0),
    coalesce(sum(m.points - m.owed) filter (where m.kind = 'given_back'), 0)
  into v_spent, v_given
  from interlock.exchanged_sales(p_root_sale_id) s
  join interlock.points_movements m on m.sale_id = s.id
  where s.customer_id = p_customer_id;
  -- Points that were spent since may have been worth more than those that came back.
  return greatest(floor(v_spent * v_refunded / v_paid) - v_given, 0)::bigint;
end
$$;

-- What public.pos_sale does, with its owner's rights: a sale at a till in one transaction, all or nothing (interlock.make_sale). What it
-- refuses it tells with all that is wrong besides: the code is that of the first problem, and `problems` in its details has each
-- of them, with its pointer.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.pos_sale.
-- Locks: as interlock.make_sale, two seconds at most. A refusal has let go of them, and may take some again for a moment (interlock.find_sale_refusals).
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, REGISTER_NOT_FOUND, SHIFT_NOT_FOUND,
--   SHIFT_NOT_OPEN, BARCODE_NOT_FOUND, INVENTORY_NOT_FOUND, PRODUCT_NOT_FOUND, STOCK_ELSEWHERE, MIXED_CURRENCIES, DISCOUNT_NOT_ALLOWED,
--   INSUFFICIENT_INVENTORY, PRICE_CHANGED, UNDERPAID, OVERPAID, TENDER_REFERENCE_USED; with goods that come back also
--   RETURN_NOT_ALLOWED, SALE_NOT_FOUND, SALE_VOIDED, RETURN_EXCEEDS_SOLD, REFUND_EXCEEDS_PAID, STOCK_LIMIT_EXCEEDED; of a parked sale
--   PARKED_SALE_NOT_FOUND, PARKED_SALE_TAKEN, PARKED_SALE_ENDED; APPROVAL_NOT_FOUND; those of interlock.lock_buyer,
--   interlock.charge_buyer and interlock.redeem_sale_promo; 55P03 and 40P01 are transient and nothing
--   has happened.
-- Security definer: nobody has the right to write sales or stock.
create function interlock.pos_sale(
  p_register_id uuid,
  p_lines jsonb,
  p_tenders jsonb,
  p_returns jsonb,
  p_customer jsonb,
  p_promo_code text,
  p_parked_sale_id uuid,
  p_client_time timestamptz,
  p_shift_id uuid,
  p_approval_id uuid,
  p_expected_total bigint,
  p_idempotency_key text
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_role constant text := interlock.require_till();
  v_request constant jsonb := interlock.given(jsonb_build_object(
    'register_id', p_register_id, 'lines', p_lines, 'tenders', p_tenders, 'returns', p_returns, 'customer', p_customer,
    'promo_code', p_promo_code, 'parked_sale_id', p_parked_sale_id, 'client_time', p_client_time, 'shift_id', p_shift_id,
    'approval_id', p_approval_id
  ));
  v_offline constant boolean := p_client_time is not null;
  v_problems jsonb := interlock.find_sale_problems(v_request, p_idempotency_key);
  v_state text;
  v_code text;
  v_detail text;
  v_hint text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if v_offline then
    v_problems := nullif(coalesce(v_problems, '[]') || interlock.find_client_time_problems(p_client_time, '/client_time'), '[]');
  end if;
  if v_problems is not null then
    perform interlock.refuse_problems(v_problems);
  end if;

  begin
    return interlock.make_sale(
      p_register_id, p_lines, p_tenders, p_returns, p_customer, p_promo_code, p_parked_sale_id, p_client_time, p_shift_id,
      p_approval_id, p_expected_total, p_idempotency_key, v_role, v_request
    );
  exception
    when sqlstate 'PT400' or sqlstate 'PT402' or sqlstate 'PT403' or sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT410'
      or sqlstate 'PT422' then
      get stacked diagnostics
        v_state = returned_sqlstate,
        v_code = message_text,
        v_detail = pg_exception_detail,
        v_hint = pg_exception_hint;
  end;

  -- A key that was used says nothing of what is in the request.
  if v_code <> 'IDEMPOTENCY_KEY_REUSED' then
    v_detail := v_detail::jsonb || jsonb_build_object(
      'problems', interlock.find_sale_refusals(v_code, v_detail::jsonb, v_request, p_expected_total, v_role)
    );
  end if;
  raise exception using errcode = v_state, message = v_code, detail = v_detail, hint = v_hint;
end
$$;

-- What goods that come back without a receipt are worth: their present price, with the tax on it. They are named as those that are
-- sold (interlock.look_at_sale), and whether there are any does not matter.
--
-- Callers: interlock.take_returns.
-- Locks: none.
-- Errors: BARCODE_NOT_FOUND, INVENTORY_NOT_FOUND, PRODUCT_NOT_FOUND, STOCK_ELSEWHERE, VALIDATION_FAILED, MIXED_CURRENCIES.
create function interlock.price_returns(p_returns jsonb, p_sale_id uuid, p_register interlock.registers)
returns interlock.sale_returns[]
language plpgsql
set search_path = ''
as $$
declare
  v_look constant interlock.sale_look := interlock.look_at_sale(p_returns, p_register.location_id, false);
  v_refusals constant text[] := interlock.look_refusals(v_look, p_register.currency, null, false);
  v_returns interlock.sale_returns[];
begin
  if v_refusals <> '{}' then
    perform interlock.refuse_look(v_refusals[1], v_look, p_register.id, p_register, '/returns');
  end if;

  select array_agg(jsonb_populate_record(null::interlock.sale_returns, jsonb_build_object(
    'sale_id', p_sale_id,
    'n', u.n - 1,
    'product_id', u.product_id,
    'name', u.name,
    'quantity', u.quantity,
    'unit_price', u.unit_price,
    'tax', u.tax,
    'amount', u.subtotal + case when u.inclusive then 0 else u.tax end,
    'restock', coalesce(e.restock, true),
    'reason', e.reason
  )))
  into v_returns
  from interlock.charge_order(null, false, null, p_register.currency, v_look.product_ids, v_look.subtotals) c
  cross join unnest(
    v_look.product_ids, v_look.names, v_look.quantities, v_look.unit_prices, v_look.subtotals, c.o_taxes, c.o_inclusive
  ) with ordinality as u (product_id, name, quantity, unit_price, subtotal, tax, inclusive, n)
  join rows from (jsonb_to_recordset(p_returns) as (restock boolean, reason text))
    with ordinality as e (restock, reason, n) on e.n = u.n;
  return v_returns;
end
$$;

-- Put what comes back at a till, and what a parked sale has kept, into its stock, before the sale takes what it sells: all that it gives and takes is locked first, so
-- nobody sees it on the shelf in between, and an exchange of the last unit for another of its kind finds one. Answers what came back with
-- the stock to which it went, and the look of the sale with stock of which there was no row yet.
--
-- Callers: interlock.make_sale; interlock.park_sale, of what is parked again.
-- Locks: new rows of inventory in the order of their products; then as interlock.lock_sold_stock.
-- Errors: STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.put_back(
  p_look interlock.sale_look,
  p_location_id uuid,
  p_sale_id uuid,
  p_returns interlock.sale_returns[],
  p_parked interlock.parked_sales,
  out o_look interlock.sale_look,
  out o_returns interlock.sale_returns[]
)
language plpgsql
set search_path = ''
as $$
declare
  -- What is answered is a row with two members. @plpgsql_check_options: extra_warnings = false
  v_online constant boolean := p_location_id = interlock.online_location();
  -- What goes into the stock, if it can be counted there.
  v_product_ids constant uuid[] := array(
    select distinct r.product_id
    from unnest(p_returns) as r
    join interlock.products p on p.id = r.product_id and p.stock_policy <> 'untracked'
    where r.restock
  );
begin
  if not v_online then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    insert into interlock.inventory (product_id, location_id)
    select u.id, p_location_id
    from (
      select r.id from unnest(v_product_ids) as r (id)
      union
      select l.product_id
      from unnest(p_look.product_ids, p_look.inventory_ids, p_look.untracked) as l (product_id, inventory_id, untracked)
      where l.inventory_id is null
        and not l.untracked
    ) u
    order by u.id
    on conflict do nothing;
  end if;

  perform interlock.lock_sold_stock(p_location_id, v_product_ids || p_parked.held_product_ids || array(
    select u.product_id from unnest(p_look.product_ids, p_look.untracked) as u (product_id, untracked) where not u.untracked
  ));
  if v_product_ids <> '{}' then
    perform interlock.give_sold_stock(
      p_location_id, array_agg(r.product_id), array_agg(r.quantity), 'pos_return', p_sale_id
    )
    from unnest(p_returns) as r
    where r.restock
      and r.product_id = any (v_product_ids);
  end if;

  if p_parked.held_product_ids <> '{}' then
    perform interlock.give_sold_stock(
      p_location_id, p_parked.held_product_ids, p_parked.held_quantities, 'pos_park', p_parked.id
    );
  end if;

  o_look := p_look;
  if not v_online then
    select array_agg(coalesce(u.inventory_id, i.id) order by u.n)
    into o_look.inventory_ids
    from unnest(p_look.product_ids, p_look.inventory_ids) with ordinality as u (product_id, inventory_id, n)
    left join interlock.inventory i on i.product_id = u.product_id and i.location_id = p_location_id;
  end if;
  select array_agg(jsonb_populate_record(r, jsonb_build_object(
    'inventory_id', case
      when r.restock and r.product_id = any (v_product_ids) then case when v_online then r.product_id else i.id end
    end
  )))
  into o_returns
  from unnest(p_returns) as r
  left join interlock.inventory i on i.product_id = r.product_id and i.location_id = p_location_id;
end
$$;

-- A row of a receipt as HTML.
--
-- Callers: interlock.sale_receipt.
-- Locks: none.
create function interlock.receipt_as_html(p_style text, p_left text, p_right text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select case p_style
      when 'rule' then '<hr>'
      when 'title' then format('<h1>%s</h1>', e.middle)
      when 'centre' then format('<p>%s</p>', e.middle)
      when 'banner' then format('<p class="banner">%s</p>', e.middle)
      else format('<div class="%s"><span>%s</span><span>%s</span></div>', p_style, e.middle, interlock.escape_html(p_right))
    end
    from (select interlock.escape_html(p_left) as middle) e
  );
end
$$;

-- A row of a receipt as lines of so many columns. What stands on the right is on the last of them.
--
-- Callers: interlock.sale_receipt, interlock.render_mail.
-- Locks: none.
create function interlock.receipt_as_text(p_style text, p_left text, p_right text, p_columns int)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_indent constant text := case p_style when 'detail' then '  ' else '' end;
  v_width constant int := interlock.text_width(coalesce(p_right, ''));
  v_lines text[];
begin
  if p_style = 'rule' then
    return repeat('-', p_columns);
  elsif p_style in ('title', 'centre', 'banner') then
    return (
      select string_agg(repeat(' ', (p_columns - interlock.text_width(l.line)) / 2) || l.line, E'\n' order by l.n)
      from unnest(interlock.wrap_text(
        case p_style when 'banner' then format('*** %s ***', p_left) else p_left end, p_columns
      )) with ordinality as l (line, n)
    );
  end if;

  v_lines := interlock.wrap_text(p_left, p_columns - length(v_indent) - case v_width when 0 then 0 else v_width + 1 end);
  return (
    select string_agg(
      v_indent || l.line || case when l.n = cardinality(v_lines) and v_width > 0 then
        repeat(' ', p_columns - length(v_indent) - interlock.text_width(l.line) - v_width) || p_right else '' end,
      E'\n' order by l.n
    )
    from unnest(v_lines) with ordinality as l (line, n)
  );
end
$$;

-- What a receipt is called: its number, after what its register's receipts begin with.
--
-- Callers: interlock.sale_to_json, interlock.receipt_rows.
-- Locks: none.
create function interlock.receipt_label(p_prefix text, p_number bigint)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return concat_ws('-', p_prefix, lpad(p_number::text, greatest(6, length(p_number::text)), '0'));
end
$$;

-- A page around the rows of a receipt, for paper of so many millimetres.
--
-- Callers: interlock.sale_receipt.
-- Locks: none.
create function interlock.receipt_page(p_language text, p_title text, p_width int, p_rows text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return format($html$<!doctype html>
<html lang="%1$s">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>%2$s</title>
<style>
@page { margin: 0; size: %3$smm 297mm; }
body { margin: 0; background: #fff; color: #000; }
main { box-sizing: border-box; margin: 0 auto; max-width: %3$smm; padding: 4mm 3mm; font: %4$smm/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
h1 { margin: 0 0 1mm; font-size: 1.5em; line-height: 1.2; text-align: center; }
p { margin: 0; text-align: center; }
hr { margin: 2mm 0; border: 0; border-top: 0.3mm dashed #000; }
div { display: flex; justify-content: space-between; align-items: end; gap: 3mm; break-inside: avoid; }
span + span { flex: none; }
.detail { padding-left: 3mm; }
.total { margin: 1mm 0; font-size: 1.35em; font-weight: bold; }
.banner { margin: 1mm 0; border: 0.5mm solid #000; font-size: 1.5em; font-weight: bold; }
</style>
</head>
<body>
<main>
%5$s
</main>
</body>
</html>
$html$, p_language, p_title, p_width, case when p_width < 80 then 2.7 else 3.3 end, p_rows);
end
$$;

-- The rows of a receipt, whatever it is printed as: a style, what stands on the left (or in the middle), and on the right.
--
--   title, centre  in the middle
--   banner         in the middle, and not to be overlooked
--   row            left and right
--   detail         below a row, which it says more of
--   total          what there is to pay
--   rule           between two parts
--
-- Callers: interlock.sale_receipt.
-- Locks: none.
-- Not compiled (jit): its steps are expected to give far more than they do, and on Postgres 15 compiling took seconds.
create function interlock.receipt_rows(p_sale_id uuid, p_language text)
returns table (n bigint, style text, o_left text, o_right text)
language sql
stable
set search_path = ''
set jit = off
as $$
  with sale as (
    select
      s.*, r.name as till, interlock.receipt_label(r.receipt_prefix, s.receipt_number) as receipt, l.name as location,
      interlock.receipt_words(p_language) as words, g.shop_name, g.shop_address, g.shop_tax_id, g.shop_time_zone, g.receipt_footer
    from interlock.sales s
    join interlock.registers r on r.id = s.register_id
    join interlock.locations l on l.id = s.location_id
    cross join interlock.settings g
    where s.id = p_sale_id
  ),
  lines as (
    select
      l.line, l.name, l.quantity, l.unit_price, l.subtotal, l.discount, l.discount_reason, l.promo_discount,
      u.unit,
      l.quantity = 1 and u.unit is null as is_one
    from interlock.sale_lines l
    left join interlock.products u on u.id = l.product_id and u.unit <> 'piece'
    where l.sale_id = p_sale_id
  ),
  taxes as (
    select
      l.tax_percent as percent, l.tax_inclusive as inclusive, sum(l.tax)::bigint as tax,
      sum(l.subtotal - l.discount - l.promo_discount)::bigint as base
    from interlock.sale_lines l
    where l.sale_id = p_sale_id
      and l.tax_percent is not null
    group by l.tax_percent, l.tax_inclusive
  ),
  rows (part, place, style, o_left, amount, o_right) as (
    select 1, 0::bigint, 'title', coalesce(s.shop_name, s.location), null::bigint, null::text from sale s
    union all
    select 2, a.n, 'centre', a.line, null, null
    from sale s
    cross join string_to_table(s.shop_address, E'\n') with ordinality as a (line, n)
    union all
    select 3, 0, 'centre', concat_ws(' ', s.words ->> 'tax_id', s.shop_tax_id), null, null from sale s where s.shop_tax_id is not null
    union all
    select 4, 0, 'rule', null, null, null
    union all
    select v.part, 0, 'banner', s.words ->> 'void', null, null
    from sale s
    cross join (values (5), (20)) as v (part)
    where s.status = 'voided'
    union all
    select
      6, 0, 'row', concat_ws(' ', s.words ->> 'receipt', s.receipt), null,
      to_char(s.sold_at at time zone s.shop_time_zone, s.words ->> 'date')
    from sale s
    union all
    select 7, 0, 'row', concat_ws(' ', s.words ->> 'till', s.till), null, null from sale s
    union all
    select 7, 1, 'row', concat_ws(' ', s.words ->> 'customer', c.name), null, null
    from sale s
    join interlock.customers o on o.id = s.customer_id
    join interlock.customers c on c.id = coalesce(o.merged_into, o.id) and c.name is not null
    union all
    select 8, 0, 'rule', null, null, null
    union all
    select 9, l.line * 4, 'row', l.name, case when l.is_one then l.subtotal end, null from lines l
    union all
    select
      9, l.line * 4 + 1, 'detail',
      concat_ws(
        ' ', interlock.format_number(trim_scale(l.quantity), p_language), l.unit, 'x',
        interlock.format_amount(l.unit_price, s.currency, p_language)
      ),
      l.subtotal, null
    from sale s
    cross join lines l
    where not l.is_one
    union all
    select 9, l.line * 4 + 2, 'detail', concat_ws(': ', s.words ->> 'discount', l.discount_reason), -l.discount, null
    from sale s
    cross join lines l
    where l.discount > 0
    union all
    select 9, l.line * 4 + 3, 'detail', concat_ws(' ', s.words ->> 'promo', s.promo_code), -l.promo_discount, null
    from sale s
    cross join lines l
    where l.promo_discount > 0
    union all
    select 9, 1000 + b.n * 2, 'row', b.name, null, null from interlock.sale_returns b where b.sale_id = p_sale_id
    union all
    select
      9, 1001 + b.n * 2, 'detail',
      concat_ws(
        ' ', s.words ->> 'returned', interlock.format_number(trim_scale(b.quantity), p_language), u.unit, 'x',
        interlock.format_amount(b.unit_price, s.currency, p_language)
      ),
      -b.amount, null
    from sale s
    join interlock.sale_returns b on b.sale_id = s.id
    left join interlock.products u on u.id = b.product_id and u.unit <> 'piece'
    union all
    select 10, 0, 'rule', null, null, null
    union all
    select 11, 0, 'row', s.words ->> 'subtotal', s.subtotal - s.discount - s.returned, null
    from sale s
    where s.tax > s.tax_included
    union all
    select
      case when t.inclusive then 17 else 12 end, row_number() over (order by t.percent), 'row',
      format(
        s.words ->> case when t.inclusive then 'tax_in' else 'tax_on' end,
        interlock.format_number(trim_scale(t.percent), p_language), interlock.format_amount(t.base, s.currency, p_language)
      ),
      t.tax, null
    from sale s
    cross join taxes t
    union all
    select 13, 0, 'total', concat_ws(' ', s.words ->> 'total', s.currency), s.total, null from sale s
    union all
    select 14, t.n, 'row', concat_ws(' ', s.words ->> t.type::text, t.reference),
      case when s.total < 0 then -t.amount else t.amount end, null
    from sale s
    join interlock.sale_tenders t on t.sale_id = s.id
    union all
    select 15, 0, 'row', s.words ->> 'change', s.change_due, null from sale s where s.change_due > 0
    union all
    select 16, 0, 'rule', null, null, null
    where exists (select from taxes t where t.inclusive)
      or exists (select from interlock.sale_returns b where b.sale_id = p_sale_id and b.tax > 0)
    union all
    select 17, 1000, 'row', s.words ->> 'tax_back', -sum(b.tax)::bigint, null
    from sale s
    join interlock.sale_returns b on b.sale_id = s.id
    group by s.words
    having sum(b.tax) > 0
    union all
    select 18, 0, 'rule', null, null, null from sale s where s.loyalty is not null
    union all
    select 19, v.n, 'row', s.words ->> v.name, null, interlock.format_number((s.loyalty ->> v.name)::numeric, p_language)
    from sale s
    cross join (values (1, 'earned'), (2, 'spent'), (3, 'taken_back'), (4, 'given_back'), (5, 'balance')) as v (n, name)
    where s.loyalty ->> v.name <> '0'
    union all
    select 21, 0, 'rule', null, null, null from sale s where s.receipt_footer is not null
    union all
    select 22, f.n, 'centre', f.line, null, null
    from sale s
    cross join string_to_table(s.receipt_footer, E'\n') with ordinality as f (line, n)
  )
  select
    row_number() over (order by r.part, r.place), r.style, r.o_left,
    coalesce(r.o_right, interlock.format_amount(r.amount, s.currency, p_language))
  from rows r
  cross join sale s
$$;

-- What receipts say, in a language.
--
-- Callers: interlock.receipt_rows, interlock.mail_words.
-- Locks: none.
create function interlock.receipt_words(p_language text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case p_language
    when 'de' then jsonb_build_object(
      'tax_id', 'USt-IdNr.', 'receipt', 'Bon', 'till', 'Kasse', 'void', 'STORNIERT', 'discount', 'Rabatt',
      'subtotal', 'Zwischensumme', 'total', 'SUMME', 'cash', 'Bar', 'card', 'Karte', 'wallet', 'Guthaben', 'points', 'Punkte', 'change', 'Rückgeld',
      'customer', 'Kunde', 'returned', 'Rückgabe', 'tax_back', 'MwSt. der Rückgaben', 'promo', 'Code', 'earned', 'Punkte gesammelt', 'spent', 'Punkte eingelöst', 'taken_back', 'Punkte abgezogen', 'given_back', 'Punkte zurück', 'balance', 'Punktestand',
      'tax_in', 'Enth. MwSt. %s %% aus %s', 'tax_on', 'zzgl. MwSt. %s %% auf %s', 'date', 'DD.MM.YYYY HH24:MI'
    )
    else jsonb_build_object(
      'tax_id', 'Tax ID', 'receipt', 'Receipt', 'till', 'Till', 'void', 'VOID', 'discount', 'Discount',
      'subtotal', 'Subtotal', 'total', 'TOTAL', 'cash', 'Cash', 'card', 'Card', 'wallet', 'Wallet', 'points', 'Points', 'change', 'Change',
      'customer', 'Customer', 'returned', 'Returned', 'tax_back', 'Tax on what came back', 'promo', 'Code', 'earned', 'Points earned', 'spent', 'Points spent', 'taken_back', 'Points taken back', 'given_back', 'Points given back', 'balance', 'Points now',
      'tax_in', 'Incl. tax %s %% on %s', 'tax_on', 'Tax %s %% on %s', 'date', 'YYYY-MM-DD HH24:MI'
    )
  end;
end
$$;

-- Redeem a promo code for a sale at a till, by the rules of the web shop: what it takes off each line, after what the cashier took off.
-- A use is that of the customer's account, or of the customer where there is none; a walk-in can use only a code that nobody's
-- uses are counted of.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Locks: as interlock.redeem_promo.
-- Errors: PROMO_NOT_FOUND, PROMO_NOT_APPLICABLE, and as interlock.redeem_promo.
create function interlock.redeem_sale_promo(
  p_code text,
  p_buyer interlock.buyer,
  p_sale_id uuid,
  p_currency text,
  p_look interlock.sale_look
)
returns bigint[]
language plpgsql
set search_path = ''
as $$
declare
  v_person constant uuid := coalesce(p_buyer.user_id, p_buyer.customer_id);
  v_promo constant interlock.promo_codes := interlock.find_promo(p_code, v_person);
begin
  if v_person is null and (v_promo.max_uses_per_user is not null or v_promo.first_order_only) then
    perform interlock.raise_error('PROMO_NOT_APPLICABLE', jsonb_build_object('reason', 'customer_needed'));
  end if;
  if v_promo.first_order_only and exists (
    select
    from interlock.sales s
    join interlock.customers c on c.id = s.customer_id
    where p_buyer.customer_id in (c.id, c.merged_into)
      and s.status = 'completed'
  ) then
    perform interlock.raise_error('PROMO_NOT_APPLICABLE', jsonb_build_object('reason', 'first_order_only'));
  end if;

  return interlock.redeem_promo(v_person, p_code, null, p_sale_id, p_currency, (
    select jsonb_agg(
      jsonb_build_object('product_id', u.product_id, 'quantity', 1, 'unit_price', u.subtotal - u.discount) order by u.n
    )
    from unnest(p_look.product_ids, p_look.subtotals, p_look.discounts) with ordinality as u (product_id, subtotal, discount, n)
  ));
end
$$;

-- Refuse what a look without a lock has seen to be impossible, with what is known about it. p_pointer is where in the request it stands.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, interlock.price_returns, which say why.
-- Locks: none.
-- Errors: REGISTER_NOT_FOUND, BARCODE_NOT_FOUND, INVENTORY_NOT_FOUND, PRODUCT_NOT_FOUND, STOCK_ELSEWHERE, VALIDATION_FAILED,
--   MIXED_CURRENCIES, DISCOUNT_NOT_ALLOWED, INSUFFICIENT_INVENTORY.
create function interlock.refuse_look(
  p_refusal text,
  p_look interlock.sale_look,
  p_register_id uuid,
  p_register interlock.registers,
  p_pointer text,
  p_limit numeric default null
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_refusal = 'VALIDATION_FAILED' then
    perform interlock.refuse_problems((
      select jsonb_agg(
        jsonb_set(b.problem, '{pointer}', to_jsonb(p_pointer || substr(b.problem ->> 'pointer', length('/lines') + 1))) order by b.n
      )
      from jsonb_array_elements(p_look.problems) with ordinality as b (problem, n)
    ));
  end if;
  perform interlock.raise_error(p_refusal, case p_refusal
    when 'REGISTER_NOT_FOUND' then jsonb_build_object('register_id', p_register_id)
    when 'BARCODE_NOT_FOUND' then jsonb_build_object('barcodes', p_look.no_barcodes)
    when 'INVENTORY_NOT_FOUND' then jsonb_build_object('inventory_ids', p_look.no_inventory)
    when 'PRODUCT_NOT_FOUND' then jsonb_build_object('product_ids', p_look.no_products)
    when 'STOCK_ELSEWHERE' then
      jsonb_build_object('inventory_ids', p_look.elsewhere, 'location_id', p_register.location_id)
    when 'MIXED_CURRENCIES' then jsonb_build_object('currencies', (
      select jsonb_agg(distinct c.code)
      from unnest(p_look.currencies || p_register.currency::text) as c (code)
    ))
    when 'DISCOUNT_NOT_ALLOWED' then jsonb_build_object('limit_percent', p_limit)
    when 'INSUFFICIENT_INVENTORY' then jsonb_build_object('shortages', p_look.shortages)
  end);
end
$$;

-- Refuse a total that is not the one that the till has shown, with what each line costs.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Errors: PRICE_CHANGED.
create function interlock.refuse_price(
  p_expected_total bigint,
  p_total bigint,
  p_subtotal bigint,
  p_currency text,
  p_look interlock.sale_look
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.raise_error('PRICE_CHANGED', jsonb_build_object(
    'expected_total', p_expected_total, 'total', p_total, 'subtotal', p_subtotal, 'currency', p_currency,
    'lines', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'product_id', u.product_id, 'name', u.name, 'quantity', trim_scale(u.quantity), 'unit_price', u.unit_price,
          'total', u.subtotal - u.discount, 'expected_unit_price', null
        )
        order by u.n
      ), '[]')
      from unnest(
        p_look.product_ids, p_look.names, p_look.quantities, p_look.unit_prices, p_look.subtotals, p_look.discounts
      ) with ordinality as u (product_id, name, quantity, unit_price, subtotal, discount, n)
    )
  ));
end
$$;

-- Refuse tenders that do not pay out what a customer gets: another sum, or by one type more than has come in by it. That is what
-- was paid for the sale with which it began and all that was exchanged for it, less what was paid out; goods
-- that came back without a receipt count as cash, and what is paid out for them is cash. Points and wallets are those of one customer
-- (p_customer_id): what others have paid with theirs does not count.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, which holds that sale.
-- Locks: none beyond it.
-- Errors: UNDERPAID, OVERPAID, REFUND_EXCEEDS_PAID.
create function interlock.refuse_refund(p_tenders jsonb, p_total bigint, p_root_sale_id uuid, p_currency text, p_customer_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_paid constant numeric := (
    select coalesce(sum(t.amount), 0) from jsonb_to_recordset(p_tenders) as t (amount numeric)
  );
  v_tenders jsonb;
  v_exceeded boolean;
begin
  if v_paid < -p_total then
    perform interlock.raise_error('UNDERPAID', jsonb_build_object(
      'total', p_total, 'paid', v_paid, 'missing', -p_total - v_paid, 'currency', p_currency
    ));
  end if;
  if v_paid > -p_total then
    perform interlock.raise_error('OVERPAID', jsonb_build_object(
      'total', p_total, 'paid', v_paid, 'excess', v_paid + p_total, 'currency', p_currency
    ));
  end if;

  with sales as (
    select s.* from interlock.exchanged_sales(p_root_sale_id) s
  ),
  received as (
    select t.type::text, case when s.total < 0 then -t.amount else t.amount end::numeric as amount
    from sales s
    join interlock.sale_tenders t on t.sale_id = s.id
    where t.type in ('cash', 'card')
      or s.customer_id = p_customer_id
    union all
    select 'cash', -s.change_due from sales s
    union all
    select 'cash', s.returned from sales s where s.root_sale_id is null
    union all
    select 'cash', -p_total where p_root_sale_id is null
  ),
  asked as (
    select t.type, sum(t.amount) as amount
    from jsonb_to_recordset(p_tenders) as t (type text, amount numeric)
    group by t.type
  ),
  refundable as (
    select r.type, greatest(sum(r.amount), 0) as amount
    from received r
    group by r.type
  )
  select
    jsonb_agg(
      jsonb_build_object('type', k.type, 'requested', k.requested, 'refundable', k.refundable) order by k.type
    ),
    bool_or(k.requested > k.refundable)
  into v_tenders, v_exceeded
  from (
    select u.type, sum(u.requested) as requested, sum(u.refundable) as refundable
    from (
      select a.type, a.amount as requested, 0::numeric as refundable from asked a
      union all
      select r.type, 0, r.amount from refundable r
    ) u
    group by u.type
  ) k;
  if v_exceeded then
    perform interlock.raise_error('REFUND_EXCEEDS_PAID', jsonb_build_object(
      'total', p_total, 'currency', p_currency, 'tenders', v_tenders
    ));
  end if;
end
$$;

-- Refuse tenders that do not pay a total: less than it, or more where there is no cash to give change from. Answers the
-- change.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Errors: UNDERPAID, OVERPAID.
create function interlock.refuse_tenders(p_tenders jsonb, p_total bigint, p_currency text)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_paid numeric;
  v_cash numeric;
begin
  select coalesce(sum(t.amount), 0), coalesce(sum(t.amount) filter (where t.type = 'cash'), 0)
  into v_paid, v_cash
  from jsonb_to_recordset(p_tenders) as t (type text, amount numeric);

  if v_paid < p_total then
    perform interlock.raise_error('UNDERPAID', jsonb_build_object(
      'total', p_total, 'paid', v_paid, 'missing', p_total - v_paid, 'currency', p_currency
    ));
  end if;
  if v_paid - p_total > v_cash then
    perform interlock.raise_error('OVERPAID', jsonb_build_object(
      'total', p_total, 'paid', v_paid, 'excess', v_paid - v_cash - p_total, 'currency', p_currency
    ));
  end if;
  return v_paid - p_total;
end
$$;

-- What the caller is at a till (interlock.till_role); whoever is nothing there is refused.
--
-- Callers: every function of the tills.
-- Errors: UNAUTHENTICATED without a user whose account exists, FORBIDDEN for one.
create function interlock.require_till()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_role constant text := interlock.till_role();
begin
  if v_role is null then
    perform interlock.require_user();
    perform interlock.raise_error('FORBIDDEN');
  end if;
  return v_role;
end
$$;

-- What public.resume_parked_sale does, with its owner's rights: a till takes a parked sale to go on with it, and has it alone. What it
-- holds stays held, until the till sells it (pos_sale with its id), parks it again or discards it. Called again by the same
-- till it answers the same.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.resume_parked_sale.
-- Locks: as interlock.claim_parked_sale; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, REGISTER_NOT_FOUND, PARKED_SALE_NOT_FOUND, PARKED_SALE_TAKEN,
--   PARKED_SALE_ENDED; 55P03 is transient.
-- Security definer: nobody has the right to write parked sales.
create function interlock.resume_parked_sale(p_parked_sale_id uuid, p_register_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_register interlock.registers;
  v_parked interlock.parked_sales;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  if p_parked_sale_id is null then
    v_problems := v_problems || interlock.problem('/p_parked_sale_id', 'is required');
  end if;
  if p_register_id is null then
    v_problems := v_problems || interlock.problem('/p_register_id', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  select r.* into v_register from interlock.registers r where r.id = p_register_id;
  if not found then
    perform interlock.raise_error('REGISTER_NOT_FOUND', jsonb_build_object('register_id', p_register_id));
  end if;
  perform interlock.claim_parked_sale(p_parked_sale_id, v_register);

  update interlock.parked_sales p
  set status = 'resumed',
      register_id = p_register_id,
      resumed_at = coalesce(p.resumed_at, interlock.clock())
  where p.id = p_parked_sale_id
  returning p.* into v_parked;
  return jsonb_build_object('success', true, 'parked_sale', interlock.parked_sale_to_json(v_parked));
end
$$;

-- What came back with a sale, as its answer shows it.
--
-- Apart from interlock.sale_to_json, and not in its SQL, so that a sale without returns does not plan it.
--
-- Callers: interlock.sale_to_json.
-- Locks: none.
create function interlock.returns_to_json(p_sale_id uuid)
returns json
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select json_agg(
      json_build_object(
        'n', r.n,
        'sale_id', r.original_sale_id,
        'line', r.original_line,
        'product_id', r.product_id,
        'inventory_id', r.inventory_id,
        'name', r.name,
        'quantity', trim_scale(r.quantity),
        'unit_price', r.unit_price,
        'tax', r.tax,
        'amount', r.amount,
        'restock', r.restock,
        'reason', r.reason
      )
      order by r.n
    )
    from interlock.sale_returns r
    where r.sale_id = p_sale_id
  );
end
$$;

-- What somebody should look at in a sale of a till that was cut off, because the database would have said something else: the price
-- of a line, a product that is not for sale any more, a discount beyond a cashier's limit, the total. Nothing of it is refused: it
-- has happened.
--
-- Callers: interlock.make_sale.
-- Locks: none.
create function interlock.review_sale(p_look interlock.sale_look, p_limit numeric, p_expected_total bigint, p_total bigint)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('line', r.line, 'reason', r.reason) order by r.line, r.reason), '[]')
    from (
      select l.n - 1 as line, w.reason
      from unnest(p_look.product_ids, p_look.unit_prices, p_look.subtotals, p_look.discounts)
        with ordinality as l (product_id, unit_price, subtotal, discount, n)
      join interlock.products p on p.id = l.product_id
      cross join lateral (
        values
          ('price', p.price <> l.unit_price),
          ('inactive', not p.active),
          ('discount', 100 * l.discount > p_limit * greatest(l.subtotal, 1))
      ) as w (reason, holds)
      where w.holds
      union all
      select null, 'total'
      where p_expected_total <> p_total
    ) r
  );
end
$$;

-- What makes two requests the same sale, as a hash. What a till that was cut off says besides (when, in which
-- shift, and unit_price of its lines) is left out, so that a sale whose answer was lost is found again when it is sent as one of those.
--
-- Callers: interlock.begin_sale, interlock.find_sale_answer.
create function interlock.sale_hash(p_request jsonb, p_offline boolean)
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
begin
  return sha256(convert_to((case
    when p_offline and p_request ? 'lines' then jsonb_set(p_request, '{lines}', (
      select jsonb_agg(l.line - 'unit_price' order by l.n)
      from jsonb_array_elements(p_request -> 'lines') with ordinality as l (line, n)
    ))
    else p_request
  end - array['client_time', 'shift_id'])::text, 'UTF8'));
end
$$;

-- What public.sale_receipt does, with its owner's rights: the receipt of a sale for people, as lines of text or as a page to
-- print. What was sold stands on it as it was; what is above and below it is that of today's settings.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.sale_receipt.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SALE_NOT_FOUND.
-- Security definer: nobody but the shop reads settings.
create function interlock.sale_receipt(p_sale_id uuid, p_format text, p_columns int, p_language text)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_language text;
begin
  perform interlock.require_till();
  if p_sale_id is null then
    v_problems := v_problems || interlock.problem('/p_sale_id', 'is required');
  end if;
  if (p_format in ('text', 'html')) is not true then
    v_problems := v_problems || interlock.problem('/p_format', 'must be text or html');
  end if;
  if (p_columns between 24 and 96) is not true then
    v_problems := v_problems || interlock.problem('/p_columns', 'must be a whole number from 24 to 96');
  end if;
  if p_language not in ('en', 'de') then
    v_problems := v_problems || interlock.problem('/p_language', 'must be en or de');
  end if;
  perform interlock.refuse_problems(v_problems);

  if not exists (select from interlock.sales s where s.id = p_sale_id) then
    perform interlock.raise_error('SALE_NOT_FOUND', jsonb_build_object('sale_id', p_sale_id));
  end if;
  select coalesce(p_language, s.receipt_language) into v_language from interlock.settings s;

  if p_format = 'text' then
    return (
      select string_agg(interlock.receipt_as_text(r.style, r.o_left, r.o_right, p_columns) || E'\n', '' order by r.n)
      from interlock.receipt_rows(p_sale_id, v_language) r
    );
  end if;
  return (
    select interlock.receipt_page(
      v_language,
      (array_agg(interlock.escape_html(r.o_left) order by r.n) filter (where r.style = 'row'))[1],
      case when p_columns <= 32 then 58 else 80 end,
      string_agg(interlock.receipt_as_html(r.style, r.o_left, r.o_right), E'\n' order by r.n)
    )
    from interlock.receipt_rows(p_sale_id, v_language) r
  );
end
$$;

-- A sale as its answer shows it.
--
-- Callers: interlock.make_sale, interlock.void_sale.
-- Locks: none.
create function interlock.sale_to_json(p_sale_id uuid)
returns json
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select json_build_object(
      'id', s.id,
      'register_id', s.register_id,
      'shift_id', s.shift_id,
      'location_id', s.location_id,
      'receipt_number', s.receipt_number,
      'receipt', interlock.receipt_label(r.receipt_prefix, s.receipt_number),
      'status', s.status,
      'currency', s.currency,
      'lines', (
        select coalesce(json_agg(
          json_build_object(
            'line', l.line,
            'product_id', l.product_id,
            'inventory_id', l.inventory_id,
            'name', l.name,
            'quantity', trim_scale(l.quantity),
            'unit_price', l.unit_price,
            'subtotal', l.subtotal,
            'discount', l.discount,
            'promo_discount', l.promo_discount,
            'tax', l.tax,
            'total', l.total
          )
          order by l.line
        ), '[]')
        from interlock.sale_lines l
        where l.sale_id = s.id
      ),
      'returns', case when s.returns = 0 then json_build_array() else interlock.returns_to_json(s.id) end,
      'subtotal', s.subtotal,
      'discount', s.discount,
      'tax', s.tax,
      'tax_included', s.tax_included,
      'returned', s.returned,
      'total', s.total,
      'tenders', (
        select coalesce(
          json_agg(json_build_object('type', t.type, 'amount', t.amount, 'reference', t.reference) order by t.n), '[]'
        )
        from interlock.sale_tenders t
        where t.sale_id = s.id
      ),
      'change_due', s.change_due,
      'customer', interlock.customer_to_json((
        select coalesce(c.merged_into, c.id) from interlock.customers c where c.id = s.customer_id
      )),
      'promo_code', s.promo_code,
      'loyalty', s.loyalty,
      'approved_by', s.approved_by,
      'sold_at', s.sold_at,
      'recorded_at', s.recorded_at,
      'offline', s.offline,
      'late', s.late,
      'needs_review', s.needs_review,
      'shortfalls', case when s.offline then (
        select coalesce(
          json_agg(
            json_build_object(
              'product_id', f.product_id, 'inventory_id', f.inventory_id, 'location_id', f.location_id,
              'sold', trim_scale(f.sold), 'quantity', trim_scale(f.quantity)
            )
            order by f.product_id
          ),
          '[]'
        )
        from interlock.sale_shortfalls f
        where f.sale_id = s.id
      ) else '[]' end
    )
    from interlock.sales s
    join interlock.registers r on r.id = s.register_id
    where s.id = p_sale_id
  );
end
$$;

-- Which share of an amount was paid with points where it is a part of what the lines of a sale cost, also with those that had paid for
-- what it was exchanged for: it earns nothing, and neither does what that part is exchanged for.
--
-- Callers: interlock.paid_by_points, of the sale whose goods come back.
-- Locks: none.
create function interlock.share_by_points(p_sale_id uuid, p_amount bigint)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select interlock.share_of(
      p_amount, interlock.paid_by_points(s.total, s.returned, t.amount, r.original_sale_id), s.total + s.returned
    )
    from interlock.sales s
    cross join lateral (
      select coalesce(sum(p.amount), 0)::bigint as amount
      from interlock.sale_tenders p
      where p.sale_id = s.id
        and p.type = 'points'
    ) t
    left join interlock.sale_returns r on r.sale_id = s.id and r.n = 0
    where s.id = p_sale_id
  );
end
$$;

-- The shift that a sale belongs to. A till that was cut off names it, or it is the one that was open then; only if there was none
-- is it the open one. It may be closed by now: then the sale comes late. Any other sale belongs to the open shift, which must be the
-- one that it names.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, which holds the register.
-- Locks: none beyond that: who closes the shift waits for the register.
-- Errors: SHIFT_NOT_FOUND (none of this register), SHIFT_NOT_OPEN.
create function interlock.shift_of_sale(p_register_id uuid, p_shift_id uuid, p_client_time timestamptz)
returns interlock.shifts
language plpgsql
set search_path = ''
as $$
declare
  v_shift interlock.shifts;
begin
  if p_shift_id is not null then
    select s.* into v_shift from interlock.shifts s where s.id = p_shift_id and s.register_id = p_register_id;
    if not found then
      perform interlock.raise_error('SHIFT_NOT_FOUND', jsonb_build_object('shift_id', p_shift_id));
    end if;
    if v_shift.closed_at is not null and p_client_time is null then
      perform interlock.raise_error('SHIFT_NOT_OPEN', jsonb_build_object('register_id', p_register_id));
    end if;
    return v_shift;
  end if;

  if p_client_time is not null then
    select s.*
    into v_shift
    from interlock.shifts s
    where s.register_id = p_register_id
      and s.opened_at <= p_client_time
      and (s.closed_at > p_client_time or s.closed_at is null)
    order by s.opened_at desc
    limit 1;
    if found then
      return v_shift;
    end if;
  end if;

  select s.* into v_shift from interlock.shifts s where s.register_id = p_register_id and s.closed_at is null;
  if not found then
    perform interlock.raise_error('SHIFT_NOT_OPEN', jsonb_build_object('register_id', p_register_id));
  end if;
  return v_shift;
end
$$;

-- What a shift adds up to: its sales and returns (an exchange is both), what they were paid with, and its cash, expected against
-- counted.
--
-- Callers: interlock.close_shift, which holds the register.
-- Locks: none.
create function interlock.shift_report(p_shift_id uuid, p_counted_cash bigint)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_expected constant bigint := interlock.expected_cash(p_shift_id);
begin
  return (
    select jsonb_build_object(
      'opening_cash', s.opening_cash,
      'sales', count(a.id) filter (
        where a.status = 'completed' and exists (select from interlock.sale_lines l where l.sale_id = a.id)
      ),
      'returns', count(a.id) filter (where a.status = 'completed' and a.returns > 0),
      'voided', count(a.id) filter (where a.status = 'voided'),
      'first_receipt', min(a.receipt_number),
      'last_receipt', max(a.receipt_number),
      'subtotal', coalesce(sum(a.subtotal) filter (where a.status = 'completed'), 0)::bigint,
      'discount', coalesce(sum(a.discount) filter (where a.status = 'completed'), 0)::bigint,
      'tax', coalesce(sum(a.tax) filter (where a.status = 'completed'), 0)::bigint,
      'returned', coalesce(sum(a.returned) filter (where a.status = 'completed'), 0)::bigint,
      'total', coalesce(sum(a.total) filter (where a.status = 'completed'), 0)::bigint,
      'tenders', (select jsonb_object_agg(t.type, t.amount) from interlock.shift_tenders(s.id) t),
      'parked', (
        select count(*)
        from interlock.parked_sales p
        join interlock.registers r on r.location_id = p.location_id
        where r.id = s.register_id
          and p.ended_at is null
      ),
      'paid_in', coalesce((
        select sum(m.amount) from interlock.cash_movements m where m.shift_id = s.id and m.kind = 'paid_in'
      ), 0)::bigint,
      'paid_out', coalesce((
        select sum(m.amount) from interlock.cash_movements m where m.shift_id = s.id and m.kind = 'paid_out'
      ), 0)::bigint,
      'expected_cash', v_expected,
      'counted_cash', p_counted_cash,
      'difference', p_counted_cash - v_expected
    )
    from interlock.shifts s
    left join interlock.sales a on a.shift_id = s.id
    where s.id = p_shift_id
    group by s.id, s.opening_cash, s.register_id
  );
end
$$;

-- What a shift has received by each type of tender: what was taken less change, and less what was paid out to customers. What was voided
-- is not in it.
--
-- Callers: interlock.expected_cash, interlock.shift_report.
-- Locks: none.
create function interlock.shift_tenders(p_shift_id uuid)
returns table (type text, amount bigint)
language plpgsql
stable
rows 4
set search_path = ''
as $$
begin
  return query
    select k.type, coalesce(sum(r.amount), 0)::bigint
    from (values ('cash'), ('card'), ('wallet'), ('points')) as k (type)
    left join (
      select t.type, case when a.total < 0 then -t.amount else t.amount end::bigint as amount
      from interlock.sales a
      join interlock.sale_tenders t on t.sale_id = a.id
      where a.shift_id = p_shift_id
        and a.status = 'completed'
      union all
      select 'cash', -a.change_due
      from interlock.sales a
      where a.shift_id = p_shift_id
        and a.status = 'completed'
    ) r on r.type = k.type
    group by k.type;
end
$$;

-- Take the points that pay for a sale, at what a point is worth. Answers how many they are.
--
-- Callers: interlock.charge_buyer, interlock.find_sale_refusals.
-- Locks: what interlock.lock_buyer holds.
-- Errors: VALIDATION_FAILED for an amount that is not one of whole points, INSUFFICIENT_POINTS.
create function interlock.spend_points(p_buyer interlock.buyer, p_sale_id uuid, p_currency text, p_tenders jsonb)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_value constant bigint := (select v.value from interlock.points_values v where v.currency = p_currency);
  v_spent constant bigint := p_buyer.by_points / v_value;
  v_balance constant bigint := (select a.balance from interlock.points_accounts a where a.customer_id = p_buyer.customer_id);
begin
  perform interlock.refuse_problems((
    select coalesce(jsonb_agg(jsonb_build_object(
      'pointer', format('/tenders/%s/amount', t.n - 1),
      'message', case
        when v_value is null then format('points pay nothing in %s', p_currency)
        else format('must be a multiple of %s, which is what a point is worth', v_value)
      end
    )), '[]')
    from rows from (jsonb_to_recordset(p_tenders) as (type text, amount bigint)) with ordinality as t (type, amount, n)
    where t.type = 'points'
      and (t.amount % v_value = 0) is not true
  ));
  if v_balance < v_spent then
    perform interlock.raise_error('INSUFFICIENT_POINTS', jsonb_build_object('balance', v_balance, 'requested', v_spent));
  end if;
  perform interlock.book_points(p_buyer.customer_id, 'spent', -v_spent, p_sale_id => p_sale_id);
  return v_spent;
end
$$;

-- Take a parked sale for the sale that it becomes: once. What it holds is the caller's to give back to the stock, before the sale
-- takes what it sells.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Locks: as interlock.claim_parked_sale.
-- Errors: as interlock.claim_parked_sale.
create function interlock.take_parked_sale(p_parked_sale_id uuid, p_register interlock.registers)
returns interlock.parked_sales
language plpgsql
set search_path = ''
as $$
declare
  v_parked constant interlock.parked_sales := interlock.claim_parked_sale(p_parked_sale_id, p_register);
begin
  update interlock.parked_sales p
  set status = 'sold',
      register_id = p_register.id,
      held_product_ids = '{}',
      held_quantities = '{}',
      ended_at = interlock.clock()
  where p.id = p_parked_sale_id;
  return v_parked;
end
$$;

-- Take back so much of lines of a sale, and count it there. What the first so many units of a line come to is its share of what
-- the line had cost, half a minor unit rounded up; a part is that less what has been given back before. Answers also whose it was.
--
-- Callers: interlock.take_returns.
-- Locks: the sale and the one with which it began, by id.
-- Errors: SALE_NOT_FOUND, SALE_VOIDED, MIXED_CURRENCIES, VALIDATION_FAILED, RETURN_EXCEEDS_SOLD with every line of which too much comes
--   back; 55P03 after lock_timeout.
create function interlock.take_receipted_returns(
  p_returns jsonb,
  p_original_id uuid,
  p_sale_id uuid,
  p_register interlock.registers,
  out o_returns interlock.sale_returns[],
  out o_root_sale_id uuid,
  out o_customer_id uuid
)
language plpgsql
set search_path = ''
as $$
declare
  v_online constant boolean := p_register.location_id = interlock.online_location();
  v_original interlock.sales;
  v_problems jsonb;
  v_excess jsonb;
begin
  select coalesce(s.root_sale_id, s.id) into o_root_sale_id from interlock.sales s where s.id = p_original_id;
  if not found then
    perform interlock.raise_error('SALE_NOT_FOUND', jsonb_build_object('sale_id', p_original_id));
  end if;
  perform interlock.lock_sales(array[p_original_id, o_root_sale_id]);
  select s.* into v_original from interlock.sales s where s.id = p_original_id;
  o_customer_id := interlock.live_customer(v_original.customer_id);

  if v_original.status = 'voided' then
    perform interlock.raise_error('SALE_VOIDED', jsonb_build_object(
      'sale_id', p_original_id, 'voided_at', v_original.voided_at
    ));
  end if;
  if v_original.currency <> p_register.currency then
    perform interlock.raise_error('MIXED_CURRENCIES', jsonb_build_object('currencies', (
      select jsonb_agg(c.code order by c.code) from unnest(array[v_original.currency, p_register.currency]::text[]) as c (code)
    )));
  end if;

  select jsonb_agg(interlock.problem(format('/returns/%s%s', e.n - 1, b.member), b.message) -> 0 order by e.n)
  into v_problems
  from rows from (jsonb_to_recordset(p_returns) as (line int, quantity numeric, restock boolean))
    with ordinality as e (line, quantity, restock, n)
  left join interlock.sale_lines l on l.sale_id = p_original_id and l.line = e.line
  left join interlock.products p on p.id = l.product_id
  cross join lateral (
    select '/line' as member, 'is no line of the sale' as message
    where l.line is null
    union all
    select '/quantity', 'must be a whole number: it goes to the web shop''s stock, which is in whole units'
    where v_online and e.restock is not false and p.stock_policy <> 'untracked' and e.quantity <> trunc(e.quantity)
    union all
    select '/quantity', format('must have at most %s decimals, as the product has', d.decimals)
    from (select greatest(p.decimals, scale(trim_scale(l.quantity))) as decimals) d
    where e.quantity <> round(e.quantity, d.decimals)
  ) b;
  perform interlock.refuse_problems(coalesce(v_problems, '[]'));

  select jsonb_agg(
    jsonb_build_object(
      'line', l.line,
      'sold', trim_scale(l.quantity),
      'returned', trim_scale(l.returned_quantity),
      'requested', trim_scale(e.quantity)
    )
    order by l.line
  )
  into v_excess
  from (
    select r.line, sum(r.quantity) as quantity
    from jsonb_to_recordset(p_returns) as r (line int, quantity numeric)
    group by r.line
  ) e
  join interlock.sale_lines l on l.sale_id = p_original_id and l.line = e.line
  where e.quantity > l.quantity - l.returned_quantity;
  if v_excess is not null then
    perform interlock.raise_error('RETURN_EXCEEDS_SOLD', jsonb_build_object('sale_id', p_original_id, 'lines', v_excess));
  end if;

  select array_agg(jsonb_populate_record(null::interlock.sale_returns, jsonb_build_object(
    'sale_id', p_sale_id,
    'n', x.n - 1,
    'original_sale_id', p_original_id,
    'original_line', x.line,
    'product_id', x.product_id,
    'name', x.name,
    'quantity', x.quantity,
    'unit_price', x.unit_price,
    'tax', x.tax_through - coalesce(x.tax_before, x.returned_tax),
    'amount', x.through - coalesce(x.before, x.returned_amount),
    'restock', x.restock,
    'reason', x.reason
  )))
  into o_returns
  from (
    select
      t.*,
      lag(t.through) over entries as before,
      lag(t.tax_through) over entries as tax_before
    from (
      select c.*, greatest(c.returned_tax, interlock.share_of(c.tax, c.through, c.total)) as tax_through
      from (
        select
          e.n, e.quantity, coalesce(e.restock, true) as restock, e.reason,
          l.line, l.product_id, l.name, l.unit_price, l.tax, l.total, l.returned_amount, l.returned_tax,
          -- A part that was voided may leave the others with more than their share.
          greatest(l.returned_amount, interlock.share_of(
            l.total,
            (1000 * (l.returned_quantity + sum(e.quantity) over (partition by e.line order by e.n)))::bigint,
            (1000 * l.quantity)::bigint
          )) as through
        from rows from (jsonb_to_recordset(p_returns) as (line int, quantity numeric, restock boolean, reason text))
          with ordinality as e (line, quantity, restock, reason, n)
        join interlock.sale_lines l on l.sale_id = p_original_id and l.line = e.line
      ) c
    ) t
    window entries as (partition by t.line order by t.n)
  ) x;

  update interlock.sale_lines l
  set returned_quantity = l.returned_quantity + r.quantity,
      returned_amount = l.returned_amount + r.amount,
      returned_tax = l.returned_tax + r.tax
  from (
    select e.original_line, sum(e.quantity) as quantity, sum(e.amount) as amount, sum(e.tax) as tax
    from unnest(o_returns) as e
    group by e.original_line
  ) r
  where l.sale_id = p_original_id
    and l.line = r.original_line;
end
$$;

-- Take back the points that a sale has earned in the part of it that came back, or give them back where that was voided: what counts
-- is how much of its lines has come back by now, so it is done once however often this is called. Answers how many they are now.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, interlock.give_buyer_back, whose callers hold the sale.
-- Locks: as interlock.lock_points, of its customer.
create function interlock.take_returned_points(p_sale_id uuid)
returns bigint
language plpgsql
set search_path = ''
as $$
begin
  return (
    select interlock.take_points_back(p_sale_id, sum(l.returned_amount)::bigint, sum(l.total)::bigint)
    from interlock.sale_lines l
    where l.sale_id = p_sale_id
  );
end
$$;

-- Take goods back at a till: with a receipt so much of lines of one sale, each unit for its share of what its line had cost; without
-- one at the present price. What comes back of a line is counted there, so the last unit comes back once; parts always sum to what the line
-- had cost, in whatever order they come and are voided. Answers the rows of sale_returns, which the caller writes, and of
-- what is paid out the sale that limits it, and the customer who had bought it, if they are known.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, with entries in which interlock.find_sale_problems has found no problem.
-- Locks: the sale and the one with which it began, by id.
-- Errors: RETURN_NOT_ALLOWED, SALE_NOT_FOUND, SALE_VOIDED, MIXED_CURRENCIES, VALIDATION_FAILED, RETURN_EXCEEDS_SOLD; without a receipt
--   BARCODE_NOT_FOUND, INVENTORY_NOT_FOUND, PRODUCT_NOT_FOUND, STOCK_ELSEWHERE; 55P03 after lock_timeout.
create function interlock.take_returns(
  p_returns jsonb,
  p_sale_id uuid,
  p_register interlock.registers,
  p_without_receipt boolean,
  out o_returns interlock.sale_returns[],
  out o_root_sale_id uuid,
  out o_customer_id uuid
)
language plpgsql
set search_path = ''
as $$
declare
  v_original_id constant uuid := (p_returns #>> '{0,sale_id}')::uuid;
begin
  if v_original_id is not null then
    select r.o_returns, r.o_root_sale_id, r.o_customer_id
    into o_returns, o_root_sale_id, o_customer_id
    from interlock.take_receipted_returns(p_returns, v_original_id, p_sale_id, p_register) r;
  elsif p_without_receipt then
    o_returns := interlock.price_returns(p_returns, p_sale_id, p_register);
  else
    perform interlock.raise_error('RETURN_NOT_ALLOWED');
  end if;
end
$$;

-- Take what a sale has sold from the stock of its location. All or nothing; lines of one product are added up.
--
-- Callers: interlock.make_sale; interlock.park_sale; interlock.undo_sold_stock, of what had come back.
-- Locks: rows of inventory by id, or as interlock.take_stock; waiting.
-- Errors: PRODUCT_NOT_FOUND, INSUFFICIENT_INVENTORY with every shortage; 55P03 after lock_timeout.
create function interlock.take_sold_stock(
  p_look interlock.sale_look,
  p_location_id uuid,
  p_sale_id uuid,
  p_reason text default 'pos_sale'
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_product_ids uuid[];
  v_inventory_ids uuid[];
  v_quantities numeric[];
  v_found int;
  v_shortages jsonb;
begin
  select array_agg(l.product_id), array_agg(l.inventory_id), array_agg(l.quantity)
  into v_product_ids, v_inventory_ids, v_quantities
  from (
    select u.product_id, u.inventory_id, sum(u.quantity) as quantity
    from unnest(p_look.product_ids, p_look.inventory_ids, p_look.quantities, p_look.untracked)
      as u (product_id, inventory_id, quantity, untracked)
    where not u.untracked
    group by u.product_id, u.inventory_id
  ) l;
  if v_product_ids is null then
    return;
  end if;

  if p_location_id = interlock.online_location() then
    perform interlock.take_stock(v_product_ids, v_quantities::int[], p_reason, p_sale_id);
    return;
  end if;

  with locked as materialized (
    select
      i.id, i.product_id, i.quantity, w.quantity as wanted,
      clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
    from interlock.inventory i
    join unnest(v_inventory_ids, v_quantities) as w (inventory_id, quantity) on w.inventory_id = i.id
    order by i.id
    for no key update of i
  )
  select
    count(*),
    jsonb_agg(
      jsonb_build_object(
        'inventory_id', l.id,
        'product_id', l.product_id,
        'location_id', p_location_id,
        'requested', trim_scale(l.wanted),
        'available', trim_scale(l.quantity)
      )
      order by l.product_id
    ) filter (where l.quantity < l.wanted)
  into v_found, v_shortages
  from locked l;
  if v_shortages is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_shortages));
  end if;
  if v_found <> cardinality(v_product_ids) then
    perform interlock.raise_product_changed();
  end if;

  -- A statement of its own: one that has waited comes upon versions from before the wait, on which others may be waiting.
  perform interlock.set_ledger_context(p_reason, p_sale_id);
  update interlock.inventory i
  set quantity = i.quantity - w.quantity
  from unnest(v_inventory_ids, v_quantities) as w (inventory_id, quantity)
  where i.id = w.inventory_id;
  perform interlock.set_ledger_context(null, null);
end
$$;

-- Take what a till that was cut off has sold from the stock of its location, as far as it is there, and answer what is not: an array
-- of shortages, each product once. The goods have left the shop, so nothing is refused, and nothing is owed.
--
-- Callers: interlock.make_sale.
-- Locks: as interlock.lock_sold_stock; of products their slots; waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.take_what_is_there(p_look interlock.sale_look, p_location_id uuid, p_sale_id uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_product_ids uuid[];
  v_inventory_ids uuid[];
  v_quantities numeric[];
  v_there numeric[];
begin
  select array_agg(l.product_id), array_agg(l.inventory_id), array_agg(l.quantity)
  into v_product_ids, v_inventory_ids, v_quantities
  from (
    select u.product_id, u.inventory_id, sum(u.quantity) as quantity
    from unnest(p_look.product_ids, p_look.inventory_ids, p_look.quantities, p_look.untracked)
      as u (product_id, inventory_id, quantity, untracked)
    where not u.untracked
    group by u.product_id, u.inventory_id
    order by u.product_id
  ) l;
  if v_product_ids is null then
    return jsonb '[]';
  end if;

  perform interlock.lock_sold_stock(p_location_id, v_product_ids);
  if p_location_id = interlock.online_location() then
    select array_agg(interlock.settle_stock(u.id)::numeric order by u.n)
    into v_there
    from unnest(v_product_ids) with ordinality as u (id, n);
    perform interlock.move_stock(
      w.product_id, w.there::int, (w.there - least(w.there, w.quantity))::int, 'pos_sale', p_sale_id
    )
    from unnest(v_product_ids, v_quantities, v_there) as w (product_id, quantity, there);
  else
    select array_agg(coalesce(i.quantity, 0) order by u.n), array_agg(i.id order by u.n)
    into v_there, v_inventory_ids
    from unnest(v_product_ids) with ordinality as u (id, n)
    left join interlock.inventory i on i.product_id = u.id and i.location_id = p_location_id;
    perform interlock.set_ledger_context('pos_sale', p_sale_id);
    update interlock.inventory i
    set quantity = i.quantity - least(i.quantity, w.quantity)
    from unnest(v_inventory_ids, v_quantities) as w (inventory_id, quantity)
    where i.id = w.inventory_id;
    perform interlock.set_ledger_context(null, null);
  end if;

  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'inventory_id', w.inventory_id,
          'product_id', w.product_id,
          'location_id', p_location_id,
          'requested', trim_scale(w.quantity),
          'available', trim_scale(coalesce(w.there, 0))
        )
        order by w.n
      ) filter (where w.quantity > coalesce(w.there, 0)),
      '[]'
    )
    from unnest(v_product_ids, v_inventory_ids, v_quantities, v_there)
      with ordinality as w (product_id, inventory_id, quantity, there, n)
  );
end
$$;

-- How many columns of a printer a text takes: two for what is wide (Chinese, Japanese, Korean, emoji), none for what joins the
-- character before it.
--
-- Callers: interlock.wrap_text, interlock.receipt_as_text.
-- Locks: none.
create function interlock.text_width(p_text text)
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return char_length(p_text)
    - char_length(regexp_replace(
      p_text, '[^\u0300-\u036f\u200b-\u200f\u20d0-\u20ff\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]', '', 'g'
    ))
    + char_length(regexp_replace(
      p_text,
      '[^\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\U0001f300-\U0001f3fa\U0001f400-\U0001faff\U00020000-\U0003fffd]',
      '', 'g'
    ));
end
$$;

-- Undo what a sale did to the stock of its location: what was sold is given back, less what was not there, and what came back with it is taken out again,
-- all in one pass.
--
-- Callers: interlock.void_sale, which holds the sale.
-- Locks: as interlock.lock_sold_stock.
-- Errors: STOCK_LIMIT_EXCEEDED, INSUFFICIENT_INVENTORY (what came back is not there any more); 55P03 after lock_timeout.
create function interlock.undo_sold_stock(p_sale_id uuid, p_location_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_product_ids uuid[];
  v_quantities numeric[];
  v_returned interlock.sale_look;
begin
  select array_agg(l.product_id), array_agg(l.quantity)
  into v_product_ids, v_quantities
  from (
    select s.product_id, sum(s.quantity) - coalesce((
      select f.quantity
      from interlock.sale_shortfalls f
      where f.sale_id = p_sale_id
        and f.product_id = s.product_id
        and f.taken_at is null
    ), 0) as quantity
    from interlock.sale_lines s
    where s.sale_id = p_sale_id
      and not s.untracked
    group by s.product_id
  ) l
  where l.quantity > 0;
  select array_agg(r.product_id), array_agg(r.inventory_id), array_agg(r.quantity), array_agg(false)
  into v_returned.product_ids, v_returned.inventory_ids, v_returned.quantities, v_returned.untracked
  from interlock.sale_returns r
  where r.sale_id = p_sale_id
    and r.inventory_id is not null;

  perform interlock.lock_sold_stock(p_location_id, v_product_ids || v_returned.product_ids);
  if v_product_ids is not null then
    perform interlock.give_sold_stock(p_location_id, v_product_ids, v_quantities, 'pos_void', p_sale_id);
  end if;
  if v_returned.product_ids is not null then
    perform interlock.take_sold_stock(v_returned, p_location_id, p_sale_id, 'pos_void');
  end if;
end
$$;

-- Use what a manager has allowed, once, and answer who that was. Nothing is in the row that is not compared again after a wait.
--
-- Callers: interlock.make_sale, interlock.void_sale.
-- Locks: the approval, waiting.
-- Errors: APPROVAL_NOT_FOUND (unknown, of another register, used, over, or of nothing of the kind); 55P03 after lock_timeout.
create function interlock.use_approval(p_approval_id uuid, p_register_id uuid, p_actions text[], p_sale_id uuid)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_approved_by uuid;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.sale_approvals a
  set used_at = interlock.clock(),
      sale_id = p_sale_id
  where a.id = p_approval_id
    and a.register_id = p_register_id
    and a.used_at is null
    and a.expires_at > interlock.clock()
    and a.actions && p_actions
  returning a.approved_by into v_approved_by;
  if not found then
    perform interlock.raise_error('APPROVAL_NOT_FOUND', jsonb_build_object('approval_id', p_approval_id));
  end if;
  return v_approved_by;
end
$$;

-- What public.void_sale does, with its owner's rights: undo a sale as long as its shift is open. What it took goes back to the stock,
-- and it counts no more in the closing report; its receipt keeps its number. What came back with it has not come back any more: it is
-- taken out of the stock again, and may come back anew. Called again it answers the same. A card payment is undone at the
-- terminal, not here.
--
-- Callers: authenticated (managers and staff; a cashier for a sale of their own, or
--   with a manager's approval) and service_role, through public.void_sale.
-- Locks: the sale, and those of which something came back with it, by id; an approval; of its customer the account, the points and the wallet; the uses of its
--   promo code; stock as interlock.undo_sold_stock; the register. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SALE_NOT_FOUND, APPROVAL_NOT_FOUND, SALE_RETURNED, SHIFT_CLOSED, STOCK_LIMIT_EXCEEDED,
--   INSUFFICIENT_INVENTORY, INSUFFICIENT_FUNDS, WALLET_UNLINKED; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: nobody has the right to write sales or stock.
create function interlock.void_sale(p_sale_id uuid, p_reason text, p_approval_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_role text;
  v_sale interlock.sales;
  v_shift interlock.shifts;
  v_returned jsonb;
  v_approved_by uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  v_role := interlock.require_till();

  if p_sale_id is null then
    v_problems := v_problems || interlock.problem('/p_sale_id', 'is required');
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must be 1 to 200 characters, without control characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  perform interlock.lock_sales(array(
    select p_sale_id
    union
    select u.id
    from interlock.sales s
    cross join lateral (
      select s.root_sale_id as id
      union all
      select r.original_sale_id from interlock.sale_returns r where r.sale_id = s.id
    ) u
    where s.id = p_sale_id
  ));
  select s.* into v_sale from interlock.sales s where s.id = p_sale_id;
  if not found then
    perform interlock.raise_error('SALE_NOT_FOUND', jsonb_build_object('sale_id', p_sale_id));
  end if;
  if v_role = 'cashier' and v_sale.cashier is distinct from auth.uid() and p_approval_id is null then
    perform interlock.raise_error('FORBIDDEN');
  end if;

  if v_sale.status = 'completed' then
    if p_approval_id is not null then
      v_approved_by := interlock.use_approval(p_approval_id, v_sale.register_id, array['void'], p_sale_id);
    end if;
    select jsonb_agg(jsonb_build_object('line', l.line, 'returned', trim_scale(l.returned_quantity)) order by l.line)
    into v_returned
    from interlock.sale_lines l
    where l.sale_id = p_sale_id
      and l.returned_quantity > 0;
    if v_returned is not null then
      perform interlock.raise_error('SALE_RETURNED', jsonb_build_object('sale_id', p_sale_id, 'lines', v_returned));
    end if;

    update interlock.sale_lines l
    set returned_quantity = l.returned_quantity - r.quantity,
        returned_amount = l.returned_amount - r.amount,
        returned_tax = l.returned_tax - r.tax
    from (
      select b.original_sale_id, b.original_line, sum(b.quantity) as quantity, sum(b.amount) as amount, sum(b.tax) as tax
      from interlock.sale_returns b
      where b.sale_id = p_sale_id
      group by b.original_sale_id, b.original_line
    ) r
    where l.sale_id = r.original_sale_id
      and l.line = r.original_line;
    perform interlock.give_buyer_back(v_sale);
    if v_sale.promo_code is not null then
      perform interlock.return_promos(array[p_sale_id]);
    end if;
    perform interlock.undo_sold_stock(p_sale_id, v_sale.location_id);

    v_shift := interlock.lock_shift(v_sale.shift_id);
    if v_shift.closed_at is not null then
      perform interlock.raise_error('SHIFT_CLOSED', jsonb_build_object(
        'shift_id', v_shift.id, 'closed_at', v_shift.closed_at, 'counted_cash', v_shift.counted_cash
      ));
    end if;

    update interlock.sales s
    set status = 'voided',
        voided_at = interlock.clock(),
        voided_by = auth.uid(),
        approved_by = coalesce(v_approved_by, s.approved_by),
        void_reason = p_reason
    where s.id = p_sale_id;
    perform interlock.note_sale('sale.voided', interlock.sale_to_json(p_sale_id)::jsonb);
  end if;

  return jsonb_build_object('success', true, 'sale', interlock.sale_to_json(p_sale_id));
end
$$;

-- The lines that a text takes in so many columns: broken at blanks, and within a word that is longer than a line.
--
-- Callers: interlock.receipt_as_text.
-- Locks: none.
create function interlock.wrap_text(p_text text, p_columns int)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_lines text[] := '{}'::text[];
  v_line text := '';
  v_word text;
  v_char text;
begin
  foreach v_word in array regexp_split_to_array(btrim(p_text), '\s+') loop
    if v_line <> '' and interlock.text_width(v_line || ' ' || v_word) > p_columns then
      v_lines := v_lines || v_line;
      v_line := '';
    end if;
    v_word := ltrim(v_line || ' ' || v_word);
    v_line := '';
    foreach v_char in array string_to_array(v_word, null) loop
      if interlock.text_width(v_line || v_char) > p_columns then
        v_lines := v_lines || v_line;
        v_line := '';
      end if;
      v_line := v_line || v_char;
    end loop;
  end loop;
  return v_lines || v_line;
end
$$;

-- Shifts that were closed before all of their sales had come: what the closing report says, what came late, and what the drawer
-- should have held with it. The cash of a late sale was in the drawer when it was counted.
create view interlock.shift_corrections
with (security_invoker = true)
as
  select
    s.id as shift_id,
    s.register_id,
    s.opened_at,
    s.closed_at,
    s.counted_cash,
    s.expected_cash,
    s.counted_cash - s.expected_cash as difference,
    l.sales as late_sales,
    l.total as late_total,
    l.cash as late_cash,
    s.expected_cash + l.cash as corrected_expected_cash,
    s.counted_cash - s.expected_cash - l.cash as corrected_difference
  from interlock.shifts s
  cross join lateral (
    select
      count(*) as sales,
      sum(a.total)::bigint as total,
      sum(case when a.total < 0 then -1 else 1 end * coalesce(c.cash, 0) - a.change_due)::bigint as cash
    from interlock.sales a
    cross join lateral (
      select sum(t.amount) as cash from interlock.sale_tenders t where t.sale_id = a.id and t.type = 'cash'
    ) c
    where a.shift_id = s.id
      and a.late
  ) l
  where l.sales > 0;

comment on view interlock.shift_corrections is
  'Shifts with sales that came after they were closed: the closing report as it was, what came late, and the difference with it.';

grant select on table interlock.shift_corrections to authenticated, service_role;

create function public.alpine_iq_sale(p_sale_id uuid)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.alpine_iq_sale(p_sale_id);
end
$$;

comment on function public.alpine_iq_sale(uuid) is
  'A sale as Alpine IQ takes it with createUpdateSale. For the service role.';

create function public.approve_sale(p_register_id uuid, p_actions text[], p_reason text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.approve_sale(p_register_id, p_actions, p_reason);
end
$$;

comment on function public.approve_sale(uuid, text[], text) is
  'Allows a cashier at a register something once, within five minutes. For managers and staff, and the service role.';

create function public.close_shift(p_shift_id uuid, p_counted_cash bigint)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.close_shift(p_shift_id, p_counted_cash);
end
$$;

comment on function public.close_shift(uuid, bigint) is
  'Ends a shift with what was counted in its drawer, and answers what it adds up to. For whoever works at a till, and the service role.';

create function public.discard_parked_sale(p_parked_sale_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.discard_parked_sale(p_parked_sale_id);
end
$$;

comment on function public.discard_parked_sale(uuid) is
  'Ends a parked sale; what it holds is on the shelf again. For whoever works at a till, and the service role.';

create function public.expire_parked_sales(p_limit int default 100)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'expired', interlock.expire_parked_sales(p_limit))
$$;

comment on function public.expire_parked_sales(int) is
  'Ends up to p_limit parked sales whose time is over. For the service role.';

create function public.move_cash(p_shift_id uuid, p_kind text, p_amount bigint, p_reason text, p_reference text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.move_cash(p_shift_id, p_kind, p_amount, p_reason, p_reference);
end
$$;

comment on function public.move_cash(uuid, text, bigint, text, text) is
  'Puts cash into a drawer (paid_in) or takes it out (paid_out), once for each reference. For whoever works at a till, and the service role.';

create function public.open_shift(
  p_register_id uuid,
  p_opening_cash bigint,
  p_shift_id uuid default null,
  p_client_time timestamptz default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.open_shift(p_register_id, p_opening_cash, p_shift_id, p_client_time);
end
$$;

comment on function public.open_shift(uuid, bigint, uuid, timestamptz) is
  'Begins a shift at a register, with what is in its drawer; with p_shift_id it is the same one when it is called again. For whoever works at a till, and the service role.';

create function public.park_sale(
  p_register_id uuid,
  p_name text,
  p_lines jsonb,
  p_customer jsonb default null,
  p_hold boolean default null,
  p_expires_at timestamptz default null,
  p_parked_sale_id uuid default null,
  p_reference text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.park_sale(p_register_id, p_name, p_lines, p_customer, p_hold, p_expires_at, p_parked_sale_id, p_reference);
end
$$;

comment on function public.park_sale(uuid, text, jsonb, jsonb, boolean, timestamptz, uuid, text) is
  'Puts a cart aside, for any till of the location, and keeps its goods for it if that is asked for. For whoever works at a till, and the service role.';

create function public.pos_sale(
  p_register_id uuid,
  p_lines jsonb default null,
  p_tenders jsonb default null,
  p_returns jsonb default null,
  p_customer jsonb default null,
  p_promo_code text default null,
  p_parked_sale_id uuid default null,
  p_client_time timestamptz default null,
  p_shift_id uuid default null,
  p_approval_id uuid default null,
  p_expected_total bigint default null,
  p_idempotency_key text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.pos_sale(
    p_register_id, p_lines, p_tenders, p_returns, p_customer, p_promo_code, p_parked_sale_id, p_client_time, p_shift_id,
    p_approval_id, p_expected_total, p_idempotency_key
  );
end
$$;

comment on function public.pos_sale(uuid, jsonb, jsonb, jsonb, jsonb, text, uuid, timestamptz, uuid, uuid, bigint, text) is
  'A sale at a till: stock, lines, tenders, change, drawer and receipt number together, or nothing. For whoever works at a till, and the service role.';

create function public.resume_parked_sale(p_parked_sale_id uuid, p_register_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.resume_parked_sale(p_parked_sale_id, p_register_id);
end
$$;

comment on function public.resume_parked_sale(uuid, uuid) is
  'Takes a parked sale to a till, which has it alone then. For whoever works at a till, and the service role.';

create function public.sale_receipt(
  p_sale_id uuid,
  p_format text default 'text',
  p_columns int default 48,
  p_language text default null
)
returns text
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.sale_receipt(p_sale_id, p_format, p_columns, p_language);
end
$$;

comment on function public.sale_receipt(uuid, text, int, text) is
  'The receipt of a sale for people: text of so many columns, or an HTML page to print. For whoever works at a till, and the service role.';

create function public.void_sale(p_sale_id uuid, p_reason text, p_approval_id uuid default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.void_sale(p_sale_id, p_reason, p_approval_id);
end
$$;

comment on function public.void_sale(uuid, text, uuid) is
  'Undoes a sale as long as its shift is open. For managers and staff, the cashier who sold or has a manager''s approval, and the service role.';

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.alpine_iq_sale is
  'A sale as Alpine IQ takes it (POST /api/v1.1/createUpdateSale/:uid): `pos_id` is the sale''s id, by which it is put and put again, amounts are in major units, and what comes back has a negative quantity.';
comment on function interlock.approve_sale is
  'What public.approve_sale does, with its owner''s rights: a manager allows a cashier at a register something, once, within five minutes: pos_sale and void_sale take its id.';
comment on function interlock.are_plain_tenders is
  'Whether all tenders are written as most are, a type and a small amount, so that nothing can be wrong with them: as interlock.is_plain_cart looks at a cart, in expressions.';
comment on function interlock.begin_sale is
  'Take the key of a sale, of its register for ever, or answer what a twin has answered.';
comment on function interlock.charge_buyer is
  'Take what a customer pays with points and the wallet, or give them what is paid out in these, and book what the sale earns.';
comment on function interlock.charge_sale is
  'What the lines of a sale come to: taxes as in the web shop (interlock.charge_order), on what is left of each after what is taken off.';
comment on function interlock.claim_parked_sale is
  'A parked sale for a till that wants to go on with it, locked: one that waits, or that this till has resumed already.';
comment on function interlock.close_shift is
  'What public.close_shift does, with its owner''s rights: end a shift with what was counted in its drawer, and answer what it adds up to.';
comment on function interlock.correct_shortfall is
  'Take from the stock what a till that was cut off has sold and was not there then.';
comment on function interlock.correct_till_sale is
  'Take from the stock what a sale at a till has sold and the ledger has not taken, or give back what it has taken too much.';
comment on function interlock.currency_decimals is
  'How many decimals the amounts of a currency have, by ISO 4217.';
comment on function interlock.discard_parked_sale is
  'What public.discard_parked_sale does, with its owner''s rights: end a parked sale that nobody wants any more; what it holds is on the shelf again.';
comment on function interlock.end_parked_sale is
  'End a parked sale that does not become a sale: what it holds is on the shelf again.';
comment on function interlock.escape_html is
  'A text as HTML shows it.';
comment on function interlock.exchanged_sales is
  'The sale with which something began and all that it was exchanged for since, but for what is void, each with the customer who has its points by now.';
comment on function interlock.expected_cash is
  'What has to be in the drawer of a shift: its opening cash, cash that was taken less change and refunds, and what was put in or taken out beside.';
comment on function interlock.expire_parked_sales is
  'End parked sales whose time is over, each in a sub-transaction of its own; answers how many.';
comment on function interlock.find_client_time_problems is
  'What is wrong with the time at which a till that was cut off says to have done something: it must not be in the future, but for clocks that differ by five minutes, nor more than 30 days ago.';
comment on function interlock.find_return_problems is
  'What is wrong with the shape of what comes back to a till, all of it.';
comment on function interlock.find_sale_answer is
  'What was answered to the sale of this register under this key, if there is one: whoever sends it, however late.';
comment on function interlock.find_sale_problems is
  'What is wrong with the shape of a sale, all of it; null if nothing is.';
comment on function interlock.find_sale_refusals is
  'All that is wrong with a sale that was refused: first what it was refused for (p_code, p_detail), then what else it would have come to be refused for, each with its pointer.';
comment on function interlock.find_shortfalls is
  'What these sales of tills that were cut off have sold of stock that was not there, and that has not been taken since.';
comment on function interlock.find_till_differences is
  'Differences between the books of tills that these sales or registers are in.';
comment on function interlock.finish_sale is
  'Store the answer of a sale with its key.';
comment on function interlock.forget_buyer is
  'Take a person who was erased out of the answers that are kept of their sales (interlock.sale_keys).';
comment on function interlock.format_amount is
  'An amount in minor units as people read it, without its currency.';
comment on function interlock.format_number is
  'A number as people read it in a language, with its thousands apart.';
comment on function interlock.give_buyer_back is
  'Undo what a sale that is voided did to points and a wallet: what it took is given back, what it gave is taken again (of points that are spent by then is owed what is not there), what it earned is taken, and what was taken with goods that came back is given back.';
comment on function interlock.give_sold_stock is
  'Give goods to the stock of the location of a till.';
comment on function interlock.is_barcode is
  'Whether a text is what a scanner reads: 1 to 64 printable ASCII characters without blanks.';
comment on function interlock.lock_buyer is
  'The customer of a sale, with their points locked, and their wallet where it pays or is paid out to.';
comment on function interlock.lock_parked_sale is
  'Lock a parked sale; the one helper for this kind of lock.';
comment on function interlock.lock_register is
  'Lock a register; the one helper for this kind of lock.';
comment on function interlock.lock_sales is
  'Lock sales by id; the one helper for this kind of lock.';
comment on function interlock.lock_shift is
  'A shift, as it is under the lock of its register.';
comment on function interlock.lock_sold_stock is
  'Lock the stock of products at the location of a till, all that a call gives and takes, before it gives or takes any of it: so two that exchange the same goods in opposite directions wait for each other in one order.';
comment on function interlock.look_at_approval is
  'What a manager has allowed at a register under this id, without a lock: null unless it can be used yet.';
comment on function interlock.look_at_sale is
  'Look at what a sale has, without a lock.';
comment on function interlock.look_refusals is
  'Why what a look without a lock has seen cannot be sold: codes, the first one first.';
comment on function interlock.make_sale is
  'Make a sale at a till, once nothing is wrong with the shape of its request (p_request is what was given of it): stock of every line, the sale with its lines and tenders, the drawer, the receipt number and the stored answer.';
comment on function interlock.move_cash is
  'What public.move_cash does, with its owner''s rights: put cash into the drawer of an open shift (paid_in) or take it out of it (paid_out), once for each reference.';
comment on function interlock.note_sale is
  'Tell what has become of a sale, as its answer shows it, but for who bought: that has to stay in one table.';
comment on function interlock.note_shortfalls is
  'Write down what a sale of a till that was cut off has sold of stock that was not there, and tell it.';
comment on function interlock.open_shift is
  'What public.open_shift does, with its owner''s rights: begin a shift at a register, with what is in its drawer.';
comment on function interlock.paid_by_points is
  'How much of what the lines of a sale cost is paid with points: by its own tenders (or less what they pay out), and by those of the sale whose goods come back with it, in the part of it that they are worth.';
comment on function interlock.park_sale is
  'What public.park_sale does, with its owner''s rights: put a cart aside, for any till of the location.';
comment on function interlock.parked_sale_to_json is
  'A parked sale as it is answered.';
comment on function interlock.point_at_refusal is
  'A refusal of a sale as problems of its request, each with its pointer, words and code (but for VALIDATION_FAILED, which tells them itself), and of the details what is about it.';
comment on function interlock.points_to_give_back is
  'How many points a customer gets back where so much is paid out in points: of all that they spent on the sale with which it began and on what it was exchanged for, the share of the amount that has been paid out by now, this time included, rounded down, less what they got before.';
comment on function interlock.pos_sale is
  'What public.pos_sale does, with its owner''s rights: a sale at a till in one transaction, all or nothing (interlock.make_sale).';
comment on function interlock.price_returns is
  'What goods that come back without a receipt are worth: their present price, with the tax on it.';
comment on function interlock.put_back is
  'Put what comes back at a till, and what a parked sale has kept, into its stock, before the sale takes what it sells: all that it gives and takes is locked first, so nobody sees it on the shelf in between, and an exchange of the last unit for another of its kind finds one.';
comment on function interlock.receipt_as_html is
  'A row of a receipt as HTML.';
comment on function interlock.receipt_as_text is
  'A row of a receipt as lines of so many columns.';
comment on function interlock.receipt_label is
  'What a receipt is called: its number, after what its register''s receipts begin with.';
comment on function interlock.receipt_page is
  'A page around the rows of a receipt, for paper of so many millimetres.';
comment on function interlock.receipt_rows is
  'The rows of a receipt, whatever it is printed as: a style, what stands on the left (or in the middle), and on the right.';
comment on function interlock.receipt_words is
  'What receipts say, in a language.';
comment on function interlock.redeem_sale_promo is
  'Redeem a promo code for a sale at a till, by the rules of the web shop: what it takes off each line, after what the cashier took off.';
comment on function interlock.refuse_look is
  'Refuse what a look without a lock has seen to be impossible, with what is known about it.';
comment on function interlock.refuse_price is
  'Refuse a total that is not the one that the till has shown, with what each line costs.';
comment on function interlock.refuse_refund is
  'Refuse tenders that do not pay out what a customer gets: another sum, or by one type more than has come in by it.';
comment on function interlock.refuse_tenders is
  'Refuse tenders that do not pay a total: less than it, or more where there is no cash to give change from.';
comment on function interlock.require_till is
  'What the caller is at a till (interlock.till_role); whoever is nothing there is refused.';
comment on function interlock.resume_parked_sale is
  'What public.resume_parked_sale does, with its owner''s rights: a till takes a parked sale to go on with it, and has it alone.';
comment on function interlock.returns_to_json is
  'What came back with a sale, as its answer shows it.';
comment on function interlock.review_sale is
  'What somebody should look at in a sale of a till that was cut off, because the database would have said something else: the price of a line, a product that is not for sale any more, a discount beyond a cashier''s limit, the total.';
comment on function interlock.sale_hash is
  'What makes two requests the same sale, as a hash.';
comment on function interlock.sale_receipt is
  'What public.sale_receipt does, with its owner''s rights: the receipt of a sale for people, as lines of text or as a page to print.';
comment on function interlock.sale_to_json is
  'A sale as its answer shows it.';
comment on function interlock.share_by_points is
  'Which share of an amount was paid with points where it is a part of what the lines of a sale cost, also with those that had paid for what it was exchanged for: it earns nothing, and neither does what that part is exchanged for.';
comment on function interlock.shift_of_sale is
  'The shift that a sale belongs to.';
comment on function interlock.shift_report is
  'What a shift adds up to: its sales and returns (an exchange is both), what they were paid with, and its cash, expected against counted.';
comment on function interlock.shift_tenders is
  'What a shift has received by each type of tender: what was taken less change, and less what was paid out to customers.';
comment on function interlock.spend_points is
  'Take the points that pay for a sale, at what a point is worth.';
comment on function interlock.take_parked_sale is
  'Take a parked sale for the sale that it becomes: once.';
comment on function interlock.take_receipted_returns is
  'Take back so much of lines of a sale, and count it there.';
comment on function interlock.take_returned_points is
  'Take back the points that a sale has earned in the part of it that came back, or give them back where that was voided: what counts is how much of its lines has come back by now, so it is done once however often this is called.';
comment on function interlock.take_returns is
  'Take goods back at a till: with a receipt so much of lines of one sale, each unit for its share of what its line had cost; without one at the present price.';
comment on function interlock.take_sold_stock is
  'Take what a sale has sold from the stock of its location.';
comment on function interlock.take_what_is_there is
  'Take what a till that was cut off has sold from the stock of its location, as far as it is there, and answer what is not: an array of shortages, each product once.';
comment on function interlock.text_width is
  'How many columns of a printer a text takes: two for what is wide (Chinese, Japanese, Korean, emoji), none for what joins the character before it.';
comment on function interlock.undo_sold_stock is
  'Undo what a sale did to the stock of its location: what was sold is given back, less what was not there, and what came back with it is taken out again, all in one pass.';
comment on function interlock.use_approval is
  'Use what a manager has allowed, once, and answer who that was.';
comment on function interlock.void_sale is
  'What public.void_sale does, with its owner''s rights: undo a sale as long as its shift is open.';
comment on function interlock.wrap_text is
  'The lines that a text takes in so many columns: broken at blanks, and within a word that is longer than a line.';

-- Who may call what of tills. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.alpine_iq_sale(uuid),
  public.approve_sale(uuid, text[], text),
  public.close_shift(uuid, bigint),
  public.discard_parked_sale(uuid),
  public.expire_parked_sales(int),
  public.move_cash(uuid, text, bigint, text, text),
  public.open_shift(uuid, bigint, uuid, timestamptz),
  public.park_sale(uuid, text, jsonb, jsonb, boolean, timestamptz, uuid, text),
  public.pos_sale(uuid, jsonb, jsonb, jsonb, jsonb, text, uuid, timestamptz, uuid, uuid, bigint, text),
  public.resume_parked_sale(uuid, uuid),
  public.sale_receipt(uuid, text, int, text),
  public.void_sale(uuid, text, uuid)
from public, anon, authenticated, service_role;

-- A domain of what the shop writes asks it, and policies the other.
grant execute on function interlock.is_barcode to service_role;
grant execute on function interlock.till_role to authenticated;

grant execute on function
  -- Cashiers, managers and staff by token; anybody else is refused.
  public.approve_sale(uuid, text[], text), interlock.approve_sale,
  public.close_shift(uuid, bigint), interlock.close_shift,
  public.discard_parked_sale(uuid), interlock.discard_parked_sale,
  public.move_cash(uuid, text, bigint, text, text), interlock.move_cash,
  public.open_shift(uuid, bigint, uuid, timestamptz), interlock.open_shift,
  public.park_sale(uuid, text, jsonb, jsonb, boolean, timestamptz, uuid, text), interlock.park_sale,
  public.pos_sale(uuid, jsonb, jsonb, jsonb, jsonb, text, uuid, timestamptz, uuid, uuid, bigint, text), interlock.pos_sale,
  public.resume_parked_sale(uuid, uuid), interlock.resume_parked_sale,
  public.sale_receipt(uuid, text, int, text), interlock.sale_receipt,
  public.void_sale(uuid, text, uuid), interlock.void_sale
to authenticated, service_role;

grant execute on function
  public.expire_parked_sales(int), interlock.expire_parked_sales,
  -- For whoever delivers events.
  public.alpine_iq_sale(uuid), interlock.alpine_iq_sale
to service_role;

-- What tills and the shop read over REST, each where its name is free in public (interlock.expose).
select interlock.expose('registers');
select interlock.expose('shifts');
select interlock.expose('cash_movements');
select interlock.expose('product_barcodes');
select interlock.expose('sales');
select interlock.expose('sale_lines');
select interlock.expose('sale_tenders');
select interlock.expose('sale_returns');
select interlock.expose('sale_shortfalls');
select interlock.expose('shift_corrections');
select interlock.expose('parked_sales');
select interlock.expose('sale_approvals');
