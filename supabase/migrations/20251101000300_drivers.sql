-- Drivers: the signed-in users who may claim delivery batches.
--
-- A driver reads their own row. The shop (service role) manages the table; nobody
-- else writes. A driver who must stop working is made inactive; one whose account is
-- deleted goes with it (see 20251101000700_driver_removal.sql for what they hold).
--
-- Tests: supabase/tests/01-schema.sql, 02-roles.sql

set local lock_timeout = '5s';

create table public.drivers (
  user_id uuid
    constraint drivers_pkey primary key
    constraint drivers_user_id_fkey references auth.users (id) on delete cascade,
  active boolean not null default true,
  created_at timestamptz not null default now()
);

comment on table public.drivers is
  'Users who may claim delivery batches. Managed by the shop with the service role.';
comment on column public.drivers.active is
  'An inactive driver can neither see nor claim batches; what they hold returns when its lease ends.';

alter table public.drivers enable row level security;

revoke all on table public.drivers from public, anon, authenticated, service_role;
grant select on table public.drivers to authenticated;
grant select, insert, update, delete on table public.drivers to service_role;

create policy drivers_select_own
  on public.drivers
  for select
  to authenticated
  using (user_id = (select auth.uid()));
