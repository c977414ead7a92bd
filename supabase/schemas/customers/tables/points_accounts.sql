-- Points of customers: one row for each customer who ever had any. The row's lock is what every way of earning and spending
-- goes through (interlock.lock_points); each change leaves a row in points_movements, and their sum is the balance.
--
-- `owed` is what was earned by something that came back after the points had been spent: it is taken off what is earned
-- next, because a balance is never negative.
create table interlock.points_accounts (
  customer_id uuid not null
    constraint points_accounts_pkey primary key
    constraint points_accounts_customer_id_fkey references interlock.customers,
  balance interlock.points not null default 0,
  owed interlock.points not null default 0,
  tier interlock.label
)
with (fillfactor = 70);

comment on table interlock.points_accounts is
  'Points and tiers of customers. Written by sales, orders and adjust_points only.';
comment on column interlock.points_accounts.balance is
  'Points that can be spent.';
comment on column interlock.points_accounts.owed is
  'Points that were spent before what had earned them came back: taken off what is earned next.';
comment on column interlock.points_accounts.tier is
  'The tier that was reached, if any.';

create index points_accounts_by_tier on interlock.points_accounts (tier) where tier is not null;

alter table interlock.points_accounts enable row level security;

grant select on table interlock.points_accounts to authenticated, service_role;

create policy points_accounts_select_till_or_own
  on interlock.points_accounts
  for select
  to authenticated
  using (
    customer_id = any (array(select c.id from interlock.customers c where c.user_id = (select auth.uid())))
    or (select interlock.till_role()) is not null
  );
