-- The history of every batch, append-only.
--
-- Written by a trigger on batches, so nothing bypasses it: our functions, the shop's
-- own SQL and imports leave the same rows. There is no foreign key on purpose:
-- history outlives a deleted batch and a removed driver.
--
--   created     inserted
--   claimed     one row for each successful claim, also when a lease was over
--   renewed     lease moved later by its holder
--   shortened   lease moved earlier (only the shop's own SQL does that)
--   started     on the road
--   released    given back with a live lease (by the driver, the shop or the driver's removal)
--   expired     lost by `driver_id` because the lease was over: somebody (perhaps the
--               same driver) claimed it, or it became available again
--   completed, cancelled, deleted
--
-- Tests: supabase/tests/01-schema.sql, 02-roles.sql, 03-claim-route.sql, 04-invariants.sql

set local lock_timeout = '5s';

create table public.batch_events (
  id bigint generated always as identity
    constraint batch_events_pkey primary key,
  batch_id uuid not null,
  event text not null
    constraint batch_events_event_known
      check (event in (
        'created', 'claimed', 'renewed', 'shortened', 'started', 'released',
        'expired', 'completed', 'cancelled', 'deleted'
      )),
  driver_id uuid,
  version bigint not null,
  created_at timestamptz not null default now()
);

comment on table public.batch_events is
  'Append-only history of batches, written by a trigger. Nobody can change or delete a row.';
comment on column public.batch_events.driver_id is
  'The driver concerned; for released, expired and cancelled the one who held the batch until then.';
comment on column public.batch_events.version is
  'The batch''s version after the change. An expired row and the claimed row that follows share it.';

create index batch_events_by_batch on public.batch_events (batch_id, id);
create index batch_events_by_driver on public.batch_events (driver_id, id) where driver_id is not null;

alter table public.batch_events enable row level security;

revoke all on table public.batch_events from public, anon, authenticated, service_role;
revoke all on sequence public.batch_events_id_seq from public, anon, authenticated, service_role;
grant select on table public.batch_events to authenticated, service_role;

create policy batch_events_select_own
  on public.batch_events
  for select
  to authenticated
  using (
    driver_id = (select auth.uid())
    and exists (
      select 1
      from public.drivers d
      where d.user_id = (select auth.uid())
        and d.active
    )
  );

-- Purpose: refuse every update, delete and truncate of an append-only table.
-- Callers: triggers; made for more tables than this one.
-- Locks: none.
-- Errors: 23001 restrict_violation.
-- Tests: supabase/tests/04-invariants.sql
create function private.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'restrict_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    message = format('%I.%I is append-only: %s refused', tg_table_schema, tg_table_name, lower(tg_op));
end
$$;

comment on function private.refuse_change() is
  'Trigger: refuses every change of an append-only table.';

revoke all on function private.refuse_change() from public, anon, authenticated, service_role;

create trigger batch_events_append_only
  before update or delete on public.batch_events
  for each row
  execute function private.refuse_change();

create trigger batch_events_no_truncate
  before truncate on public.batch_events
  for each statement
  execute function private.refuse_change();

-- Purpose: write the history of a batch.
-- Callers: trigger batches_record_event.
-- Locks: none beyond the rows it inserts.
-- Errors: none.
-- Security definer: nobody has insert on batch_events.
-- Tests: supabase/tests/03-claim-route.sql, 04-invariants.sql
create function private.record_batch_event()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_lease_over boolean;
  v_is_claim boolean;
  v_event text;
begin
  if tg_op = 'INSERT' then
    insert into public.batch_events (batch_id, event, driver_id, version)
    values (new.id, 'created', new.driver_id, new.version);
    return null;
  end if;

  if tg_op = 'DELETE' then
    insert into public.batch_events (batch_id, event, driver_id, version)
    values (old.id, 'deleted', old.driver_id, old.version);
    return null;
  end if;

  v_lease_over := coalesce(old.lease_expires_at <= private.clock(), false);
  v_is_claim := new.status = 'claimed' and (
    old.status <> 'claimed'
    or new.driver_id is distinct from old.driver_id
    or (v_lease_over and new.lease_expires_at > private.clock())
  );

  if v_lease_over and (v_is_claim or new.status = 'available') then
    insert into public.batch_events (batch_id, event, driver_id, version)
    values (new.id, 'expired', old.driver_id, new.version);
  end if;

  v_event := case
    when v_is_claim then 'claimed'
    when new.status = old.status and new.lease_expires_at > old.lease_expires_at then 'renewed'
    when new.status = old.status and new.lease_expires_at < old.lease_expires_at then 'shortened'
    when new.status = old.status then null
    when new.status = 'in_progress' then 'started'
    when new.status = 'available' and not v_lease_over then 'released'
    when new.status in ('completed', 'cancelled') then new.status
  end;

  if v_event is not null then
    insert into public.batch_events (batch_id, event, driver_id, version)
    values (
      new.id,
      v_event,
      case when v_event in ('released', 'cancelled') then old.driver_id else new.driver_id end,
      new.version
    );
  end if;

  return null;
end
$$;

comment on function private.record_batch_event() is
  'Trigger: appends to public.batch_events what happened to a batch, whoever changed it.';

revoke all on function private.record_batch_event() from public, anon, authenticated, service_role;

create trigger batches_record_event
  after insert or update or delete on public.batches
  for each row
  execute function private.record_batch_event();
