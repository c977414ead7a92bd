-- The history of every batch, append-only.
--
-- Written by a trigger on batches, so nothing bypasses it: our functions, the shop's own SQL and imports leave the
-- same rows. There is no foreign key on purpose: history outlives a deleted batch and a removed driver.
--
--   created     inserted
--   claimed     one row for each successful claim, also when a lease was over
--   assigned    given to a driver by the shop (interlock.assign_batch); the row before it, of the same version, says
--               who lost the batch (released, expired) if somebody had it
--   renewed     lease moved later by its holder
--   shortened   lease moved earlier (only the shop's own SQL does that)
--   started     on the road
--   released    given back with a live lease (by the driver, the shop or the driver's removal)
--   expired     lost by `driver_id` because the lease was over: somebody (perhaps the same driver) claimed it, or it
--               became available again
--   completed, cancelled, deleted
create table interlock.batch_events (
  id bigint not null default nextval('interlock.event_position'),
  batch_id uuid not null,
  event interlock.batch_event not null,
  driver_id uuid,
  version bigint not null,
  created_at timestamptz not null default now(),
  actor_id uuid,
  reason interlock.label,
  transaction xid8 not null default pg_current_xact_id(),
  -- The history of one batch is read in this order.
  constraint batch_events_pkey primary key (batch_id, id)
);

comment on table interlock.batch_events is
  'Append-only history of batches, written by a trigger. Nobody can change a row; old ones go as settings.keep_batch_events says.';
comment on column interlock.batch_events.driver_id is
  'The driver concerned; for released, expired and cancelled the one who held the batch until then.';
comment on column interlock.batch_events.actor_id is
  'The user whose token it was done with; empty for the service role, jobs and SQL of the shop''s own.';
comment on column interlock.batch_events.reason is
  'Why the shop gave the batch to another driver, if it said so.';
comment on column interlock.batch_events.transaction is
  'The transaction that wrote it, by which interlock.make_deliveries knows whether it has seen it.';
comment on column interlock.batch_events.version is
  'The batch''s version after the change. An expired or released row and the claimed or assigned row that follows share it.';

-- A driver's own history (row security).
create index batch_events_by_driver on interlock.batch_events (driver_id, id) where driver_id is not null;

-- What is to be told outside: interlock.events.
create index batch_events_by_transaction on interlock.batch_events (transaction, id);

create trigger batch_events_append_only
  before update or delete on interlock.batch_events
  for each row
  execute function interlock.refuse_change('driver_id', 'actor_id');

create trigger batch_events_no_truncate
  before truncate on interlock.batch_events
  for each statement
  execute function interlock.refuse_change();

alter table interlock.batch_events enable row level security;

grant select on table interlock.batch_events to authenticated, service_role;

create policy batch_events_select_own
  on interlock.batch_events
  for select
  to authenticated
  using (
    driver_id = (select auth.uid())
    and exists (
      select 1
      from interlock.drivers d
      where d.user_id = (select auth.uid())
        and d.active
    )
  );
