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
