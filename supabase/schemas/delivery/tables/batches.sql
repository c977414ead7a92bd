-- Delivery batches: what can be claimed by one driver at a time.
--
-- A claim is a lease. `claimed` and `in_progress` rows have a holder (`driver_id`) and an end
-- (`lease_expires_at`); once the end has passed the batch is claimable like an available one. What must hold whatever
-- code runs is a constraint here:
--
--   batches_one_active_per_driver   a driver holds at most one batch
--   batches_holder_matches_status   no holder without a status that has one, and the reverse
--
-- Which change is allowed is said in delivery/triggers/guard_batch_transition.sql.
--
-- The shop (service role) inserts, updates and deletes. Drivers write through public.claim_route only. An active
-- driver sees the available batches and those whose `driver_id` they are; never who holds another one.
create table interlock.batches (
  id uuid not null default interlock.new_id()
    constraint batches_pkey primary key,
  status interlock.batch_status not null default 'available',
  -- A driver's removal empties this on finished batches; held ones are given back first.
  driver_id uuid
    constraint batches_driver_id_fkey references interlock.drivers (user_id) on delete set null,
  claimed_at timestamptz,
  lease_expires_at timestamptz,
  started_at timestamptz,
  completed_at timestamptz,
  priority int not null default 0,
  version interlock.row_version not null default 1,
  reference interlock.label,
  created_at timestamptz not null default now(),

  -- An unknown status passes here and is refused by batches_status_known.
  constraint batches_holder_matches_status check (
    case status
      when 'available' then
        num_nonnulls(driver_id, claimed_at, lease_expires_at, started_at, completed_at) = 0
      when 'claimed' then
        num_nulls(driver_id, claimed_at, lease_expires_at) = 0
        and num_nonnulls(started_at, completed_at) = 0
      when 'in_progress' then
        num_nulls(driver_id, claimed_at, lease_expires_at, started_at) = 0
        and completed_at is null
      when 'completed' then
        lease_expires_at is null and completed_at is not null
      when 'cancelled' then
        num_nonnulls(lease_expires_at, completed_at) = 0
      else true
    end
  )
);

comment on table interlock.batches is
  'Delivery batches, each claimed by at most one driver at a time. Drivers claim through public.claim_route.';
comment on column interlock.batches.id is
  'Made by new_id where none is given: ordered by time.';
comment on column interlock.batches.status is
  'available, claimed, in_progress, completed or cancelled; the last two are final.';
comment on column interlock.batches.driver_id is
  'Who holds it (claimed, in_progress) or held it last (completed, cancelled); empty once that driver was removed.';
comment on column interlock.batches.claimed_at is
  'When the holder claimed it, or the last one did.';
comment on column interlock.batches.lease_expires_at is
  'End of the holder''s lease. From then on anybody may claim the batch.';
comment on column interlock.batches.started_at is
  'When the holder started it.';
comment on column interlock.batches.completed_at is
  'When it was completed.';
comment on column interlock.batches.priority is
  'Higher is more urgent. Among equals the oldest batch goes first.';
comment on column interlock.batches.version is
  'One more after every update of the row. Set by a trigger, whatever the update says.';
comment on column interlock.batches.reference is
  'The shop''s own name for the batch, 1 to 200 characters.';
comment on column interlock.batches.created_at is
  'When it came in: among equals of one priority the oldest goes first.';

-- One active batch per driver: the rule itself, and the look-up of what a driver holds.
create unique index batches_one_active_per_driver
  on interlock.batches (driver_id)
  where status in ('claimed', 'in_progress');

-- The queue: its head is the next batch to claim, however many batches are finished.
create index batches_next_available
  on interlock.batches (priority desc, created_at, id)
  where status = 'available';

-- Leases that are over.
create index batches_lease_expiry
  on interlock.batches (lease_expires_at)
  where status in ('claimed', 'in_progress');

-- A driver's own batches (row security), and the foreign key.
create index batches_driver_id
  on interlock.batches (driver_id)
  where driver_id is not null;

create trigger batches_guard_transition
  before update on interlock.batches
  for each row
  execute function interlock.guard_batch_transition();

create trigger batches_record_event
  after insert or update or delete on interlock.batches
  for each row
  execute function interlock.record_batch_event();

create trigger batches_broadcast
  after insert or delete on interlock.batches
  for each row
  execute function interlock.broadcast_batch();

-- A renewed lease changes nothing for anybody else. Whether there is realtime is asked here, as a claim where there is none would pay
-- for the call of the function.
create trigger batches_broadcast_change
  after update on interlock.batches
  for each row
  when (
    (old.status <> new.status or old.status = 'available')
    and interlock.has_realtime()
  )
  execute function interlock.broadcast_batch();

alter table interlock.batches enable row level security;

grant select on table interlock.batches to authenticated;
grant select, insert, update, delete on table interlock.batches to service_role;

create policy batches_select_available_or_own
  on interlock.batches
  for select
  to authenticated
  using (
    (status = 'available' or driver_id = (select auth.uid()))
    and exists (
      select 1
      from interlock.drivers d
      where d.user_id = (select auth.uid())
        and d.active
    )
  );
