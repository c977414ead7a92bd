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
