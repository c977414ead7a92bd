-- Sales at tills: goods that were handed over, goods that came back, or both (an exchange), with one balance. Written by
-- public.pos_sale in one transaction with everything that belongs to it; append-only but for what a void says.
--
-- `total` is what the customer had to pay; below zero it was paid out to them. It is
-- subtotal − discount + tax − tax_included, and the tenders sum to total + change_due.
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
  customer_id uuid,
  currency interlock.currency_code not null,
  subtotal bigint not null,
  discount bigint not null,
  tax bigint not null,
  tax_included bigint not null,
  total bigint not null,
  change_due interlock.amount not null default 0,
  promo_code_id uuid,
  cashier uuid,
  approved_by uuid,
  sold_at timestamptz not null,
  client_time timestamptz,
  late boolean not null default false,
  needs_review text[],
  created_at timestamptz not null default now(),
  voided_at timestamptz,
  voided_by uuid,
  void_reason interlock.label,
  constraint sales_receipt_number_key unique (register_id, receipt_number),
  constraint sales_total_adds_up check (total = subtotal - discount + tax - tax_included),
  constraint sales_void_whole check (
    case status when 'voided' then num_nulls(voided_at, void_reason) = 0
    else num_nonnulls(voided_at, voided_by, void_reason) = 0 end
  )
);

comment on table interlock.sales is
  'Sales and returns at tills. Written by pos_sale and void_sale only; amounts are minor units.';
comment on column interlock.sales.receipt_number is
  'Numbers the sales of a register, without gaps.';
comment on column interlock.sales.customer_id is
  'The customer; empty for a walk-in.';
comment on column interlock.sales.total is
  'What the customer had to pay; below zero it was paid out.';
comment on column interlock.sales.change_due is
  'What was given back of the cash.';
comment on column interlock.sales.cashier is
  'Who sold; empty for the shop''s own code.';
comment on column interlock.sales.approved_by is
  'The manager who allowed what the cashier may not do.';
comment on column interlock.sales.sold_at is
  'When it was sold: client_time for a till that was cut off.';
comment on column interlock.sales.client_time is
  'When the till says that it was sold, if it was cut off then.';
comment on column interlock.sales.late is
  'Whether its shift was closed when it came.';
comment on column interlock.sales.needs_review is
  'What somebody should look at: a till that was cut off sold what was not there (shortfall), at another price (price) or tax (tax).';

create index sales_by_shift on interlock.sales (shift_id);
create index sales_by_customer on interlock.sales (customer_id, id) where customer_id is not null;
create index sales_to_review on interlock.sales (id) where needs_review is not null;

create trigger sales_append_only
  before update of
    id, register_id, shift_id, location_id, receipt_number, currency, subtotal, discount, tax, tax_included, total, change_due,
    promo_code_id, sold_at, client_time, late, created_at
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

create policy sales_select_own
  on interlock.sales
  for select
  to authenticated
  using (customer_id = any (array(
    select c.id from interlock.customers c where c.user_id = (select auth.uid())
  )));
