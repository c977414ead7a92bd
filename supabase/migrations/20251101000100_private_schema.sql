-- The private schema, the settings a shop may change, and the clock.
--
-- `private` holds everything that runs with its owner's rights. It is not among
-- the schemas the API exposes. `authenticated` may look names up in it, because
-- the wrappers in `public` run as their caller, and may execute what is granted
-- to it by name: nothing else.
--
-- Note for later migrations: Postgres lets PUBLIC execute every new function, and
-- default privileges *in one schema* cannot take that away (they only add to the
-- global ones, which belong to the project and not to us). So every function
-- here is revoked by name; supabase/tests/02-roles.sql fails if one is forgotten.
--
-- Settings: one row, one typed column for each setting. A change counts from the next
-- statement on and never touches leases that already run:
--
--   update private.settings set claim_lease = '20 minutes';
--
-- Tests: supabase/tests/01-schema.sql, 02-roles.sql, 04-invariants.sql

set local lock_timeout = '5s';

create schema private;

comment on schema private is
  'Interlock: functions that run with their owner''s rights, and settings. Not exposed by the API.';

revoke all on schema private from public, anon, authenticated, service_role;
grant usage on schema private to authenticated, service_role;

create table private.settings (
  singleton boolean not null default true
    constraint settings_pkey primary key
    constraint settings_single_row check (singleton),
  claim_lease interval not null default '15 minutes'
    constraint settings_claim_lease_sane
      check (claim_lease between interval '1 second' and interval '1 day')
);

comment on table private.settings is
  'One row: what a shop may tune. Changed with `update private.settings set …`.';
comment on column private.settings.claim_lease is
  'How long a claimed batch stays with its driver unless the lease is renewed (1 second to 1 day).';

revoke all on table private.settings from public, anon, authenticated, service_role;
grant select, update on table private.settings to service_role;

insert into private.settings default values;

-- Purpose: the one source of time for leases. It is the time at which the
--   transaction began: an earlier `now` only ever makes a lease look longer, so a
--   call that waited for a lock never takes over a lease that was live when it began.
-- Callers: the functions and triggers of this schema.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/03-claim-route.sql (rows are aged, never the clock)
create function private.clock()
returns timestamptz
language sql
stable
set search_path = ''
as $$
  select now()
$$;

comment on function private.clock() is
  'The one source of time for leases: the time at which the transaction began.';

revoke all on function private.clock() from public, anon, authenticated, service_role;

-- Purpose: when a lease that begins now will end.
-- Callers: the functions and triggers of this schema.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/03-claim-route.sql
create function private.next_lease_end()
returns timestamptz
language sql
stable
set search_path = ''
as $$
  select private.clock() + claim_lease from private.settings
$$;

comment on function private.next_lease_end() is
  'When a lease that begins now will end: the clock plus private.settings.claim_lease.';

revoke all on function private.next_lease_end() from public, anon, authenticated, service_role;
