-- Customers of the tills. All that is personal of them stands in this table and nowhere else, so that it can be erased;
-- sales, points and their history refer to the id.
--
-- Phone and e-mail are kept as they were said and compared by their normal form (interlock.normal_phone,
-- interlock.normal_text), each unique: two tills that make the same customer at once make one. A customer may be linked to an account
-- (user_id), whose wallet they then pay from. One that was merged into another stays, empty, and says where it has gone.
create table interlock.customers (
  id uuid not null default interlock.new_id()
    constraint customers_pkey primary key,
  name interlock.label,
  phone interlock.label,
  email interlock.label,
  user_id uuid
    constraint customers_user_id_key unique
    constraint customers_user_id_fkey references auth.users (id) on delete set null,
  merged_into uuid
    constraint customers_merged_into_fkey references interlock.customers,
  erased_at timestamptz,
  created_at timestamptz not null default now(),
  constraint customers_merged_empty check (merged_into is null or num_nonnulls(name, phone, email, user_id) = 0),
  constraint customers_erased_empty check (erased_at is null or num_nonnulls(name, phone, email) = 0)
);

comment on table interlock.customers is
  'Customers of the tills. All that is personal stands here, and erase_customer removes it.';
comment on column interlock.customers.phone is
  'As it was said; found by its digits.';
comment on column interlock.customers.user_id is
  'The account that they sign in with, if they have one.';
comment on column interlock.customers.merged_into is
  'The customer that this one turned out to be; points and sales are theirs.';

create unique index customers_phone_key on interlock.customers (interlock.normal_phone(phone)) where phone is not null;
create unique index customers_email_key on interlock.customers (interlock.normal_text(email)) where email is not null;

alter table interlock.customers enable row level security;

grant select on table interlock.customers to authenticated, service_role;

create policy customers_select_managers
  on interlock.customers
  for select
  to authenticated
  using ((select interlock.till_role()) = 'manager');

create policy customers_select_own
  on interlock.customers
  for select
  to authenticated
  using (user_id = (select auth.uid()));
