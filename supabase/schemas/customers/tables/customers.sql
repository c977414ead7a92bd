-- Customers of a shop, as its tills know them. Everything personal about them is in this table, and
-- public.erase_customer empties it. Phone and e-mail are kept in their normal forms (interlock.normal_phone,
-- interlock.normal_email), each of one customer only.
--
-- One that was merged into another has nothing left but its id, which old sales and scripts may name.
create table interlock.customers (
  id uuid not null default interlock.new_id()
    constraint customers_pkey primary key,
  name interlock.label,
  phone interlock.phone_number,
  email interlock.email_address,
  user_id uuid
    constraint customers_user_id_fkey references auth.users (id) on delete set null,
  merged_into uuid
    constraint customers_merged_into_fkey references interlock.customers,
  marketing boolean not null default true,
  created_at timestamptz not null default now(),
  erased_at timestamptz,
  constraint customers_gone_is_empty check (
    num_nonnulls(merged_into, erased_at) = 0 or num_nonnulls(name, phone, email, user_id) = 0
  )
);

comment on table interlock.customers is
  'Customers as the tills know them; all that is personal about them. Written by save_customer, merge_customers and erase_customer.';
comment on column interlock.customers.name is
  'As people read it.';
comment on column interlock.customers.phone is
  'In the form +491511234567.';
comment on column interlock.customers.email is
  'In lower case.';
comment on column interlock.customers.user_id is
  'The account of the web shop, if they have one: its wallet pays at the till, and its orders earn points.';
comment on column interlock.customers.merged_into is
  'Who has got what this one had.';
comment on column interlock.customers.marketing is
  'Whether they may be written to beside what they bought.';
comment on column interlock.customers.created_at is
  'When they were first seen.';
comment on column interlock.customers.erased_at is
  'When the person was taken out.';

-- Partial, so that a change of them is no change of a key: it does not wait for sales that refer to the row.
create unique index customers_phone_key on interlock.customers (phone) where phone is not null;
create unique index customers_email_key on interlock.customers (email) where email is not null;
create unique index customers_user_id_key on interlock.customers (user_id) where user_id is not null;
create index customers_merged on interlock.customers (merged_into) where merged_into is not null;

alter table interlock.customers enable row level security;

grant select on table interlock.customers to authenticated, service_role;

create policy customers_select_till_or_own
  on interlock.customers
  for select
  to authenticated
  using (user_id = (select auth.uid()) or (select interlock.till_role()) is not null);
