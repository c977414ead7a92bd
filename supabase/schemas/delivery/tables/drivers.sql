-- Drivers: the signed-in users who may claim delivery batches.
--
-- A driver reads their own row. The shop (service role) manages the table; nobody else writes. A driver who must
-- stop working is made inactive. An account can be deleted at any time: what it holds becomes available again at
-- once; finished batches stay, with an empty driver_id; history stays.
create table interlock.drivers (
  user_id uuid
    constraint drivers_pkey primary key
    constraint drivers_user_id_fkey references auth.users (id) on delete cascade,
  active boolean not null default true,
  created_at timestamptz not null default now()
);

comment on table interlock.drivers is
  'Users who may claim delivery batches. Managed by the shop with the service role.';
comment on column interlock.drivers.user_id is
  'The user in auth.users. With the account the driver goes, and what they hold is given back.';
comment on column interlock.drivers.active is
  'An inactive driver can neither see nor claim batches; what they hold returns when its lease ends.';
comment on column interlock.drivers.created_at is
  'When they became a driver.';

create trigger drivers_give_back_batch
  before delete on interlock.drivers
  for each row
  execute function interlock.give_back_batch_of_removed_driver();

alter table interlock.drivers enable row level security;

grant select on table interlock.drivers to authenticated;
grant select, insert, update, delete on table interlock.drivers to service_role;

create policy drivers_select_own
  on interlock.drivers
  for select
  to authenticated
  using (user_id = (select auth.uid()));
