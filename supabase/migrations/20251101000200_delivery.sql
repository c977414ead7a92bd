-- Delivery batches, each claimed by one driver at a time.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

create domain interlock.batch_status as text
  constraint batches_status_known
    check (value in ('available', 'claimed', 'in_progress', 'completed', 'cancelled'));

create domain interlock.batch_event as text
  constraint batch_events_event_known
    check (value in (
      'created', 'claimed', 'assigned', 'renewed', 'shortened', 'started', 'released',
      'expired', 'completed', 'cancelled', 'deleted'
    ));

-- Broadcast to drivers that a batch can be had now, or not any more: what a phone shows of it, and its version, so what comes late
-- or twice does no harm.
--
-- Callers: triggers batches_broadcast and batches_broadcast_change.
-- Locks: none.
-- Security definer: whoever changes a batch has no right to broadcast.
create function interlock.broadcast_batch()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_batch constant interlock.batches := case tg_op when 'DELETE' then old else new end;
begin
  perform interlock.broadcast('batches', 'batch.changed', jsonb_build_object(
    'batch_id', v_batch.id,
    'status', case tg_op when 'DELETE' then 'deleted' else v_batch.status::text end,
    'priority', v_batch.priority,
    'reference', v_batch.reference,
    'created_at', v_batch.created_at,
    -- Nothing comes after it.
    'version', v_batch.version + (tg_op = 'DELETE')::int
  ));
  return null;
end
$$;

-- Give back the batch a driver holds before their row goes.
--
-- Callers: trigger drivers_give_back_batch (also when the auth user is deleted).
-- Locks: driver row (already held by the delete), then the one batch they hold.
-- Security definer: deleting a driver must not need rights on batches.
create function interlock.give_back_batch_of_removed_driver()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  update interlock.batches
  set status = 'available'
  where driver_id = old.user_id
    and status in ('claimed', 'in_progress');
  return old;
end
$$;

-- Trigger: refuse an illegal change of a batch, count its version, fill in what a new status implies.
--
-- Which change is allowed, for everybody: our functions, the shop's own SQL, a bug.
--
--   from \ to     available      claimed            in_progress   completed    cancelled
--   available     edit           claim              –             –            yes
--   claimed       give back      renew; re-claim *  same driver   same driver  yes
--   in_progress   give back      re-claim *         renew         same driver  yes
--   completed     –              –                  –             edit **      –
--   cancelled     –              –                  –             –            edit **
--
--   *  To another driver, and from in_progress also to the same one, only once the lease is over. A live lease is
--      handed over in one step by interlock.assign_batch only; your own SQL gives back first.
--   ** Other columns may change; the driver can only be emptied (account removed).
--
-- What follows from a new status is filled in, so `update batches set status = 'available' where id = …` is all a shop
-- needs to take a batch back: holder and times are emptied. Likewise `completed`, `cancelled` (lease emptied),
-- `in_progress` (start set, the longer lease of a started batch unless another is given) and, with a driver_id,
-- `claimed` (missing times set, start emptied).
--
-- Callers: trigger batches_guard_transition.
-- Errors: 23514 check_violation with constraint name batches_transition_allowed (a bug or the shop's own SQL; never an
--   answer to a driver).
-- Security definer: so that it may read the settings whoever updates the row.
create function interlock.guard_batch_transition()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_same_driver constant boolean := new.driver_id is not distinct from old.driver_id;
  v_lease_over constant boolean := coalesce(old.lease_expires_at <= interlock.clock(), false);
  v_assigned constant boolean := new.id::text is not distinct from current_setting('interlock.assigned_batch', true);
  v_allowed boolean;
begin
  v_allowed := case old.status
    when 'available' then new.status in ('available', 'claimed', 'cancelled')
    when 'claimed' then
      case
        when new.status = 'claimed' then v_same_driver or v_lease_over or v_assigned
        when new.status in ('in_progress', 'completed') then v_same_driver
        else new.status in ('available', 'cancelled')
      end
    when 'in_progress' then
      case
        when new.status = 'claimed' then v_lease_over or v_assigned
        when new.status in ('in_progress', 'completed') then v_same_driver
        else new.status in ('available', 'cancelled')
      end
    else new.status = old.status and (v_same_driver or new.driver_id is null)
  end;

  if not v_allowed then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'batches_transition_allowed',
      message = format('batch %s cannot go from %s to %s in this way', old.id, old.status, new.status),
      hint = 'docs/operations.md has the table of transitions.';
  end if;

  new.version := old.version + 1;

  if new.status <> old.status then
    case new.status
      when 'available' then
        new.driver_id := null;
        new.claimed_at := null;
        new.lease_expires_at := null;
        new.started_at := null;
      when 'claimed' then
        new.claimed_at := coalesce(new.claimed_at, interlock.clock());
        new.lease_expires_at := coalesce(new.lease_expires_at, interlock.next_lease_end('claimed'));
        new.started_at := null;
      when 'in_progress' then
        new.started_at := coalesce(new.started_at, interlock.clock());
        if new.lease_expires_at = old.lease_expires_at then
          new.lease_expires_at := greatest(old.lease_expires_at, interlock.next_lease_end('in_progress'));
        end if;
      when 'completed' then
        new.lease_expires_at := null;
        new.completed_at := coalesce(new.completed_at, interlock.clock());
      else
        new.lease_expires_at := null;
    end case;
  end if;

  return new;
end
$$;

-- Write the history of a batch.
--
-- Callers: trigger batches_record_event.
-- Locks: none beyond the rows it inserts.
-- Security definer: nobody has insert on batch_events.
create function interlock.record_batch_event()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_lease_over boolean;
  v_assigned boolean;
  v_is_claim boolean;
  v_event text;
begin
  if tg_op = 'INSERT' then
    insert into interlock.batch_events (batch_id, event, driver_id, version, actor_id)
    values (new.id, 'created', new.driver_id, new.version, auth.uid());
    return null;
  end if;

  if tg_op = 'DELETE' then
    insert into interlock.batch_events (batch_id, event, driver_id, version, actor_id)
    values (old.id, 'deleted', old.driver_id, old.version, auth.uid());
    return null;
  end if;

  v_lease_over := coalesce(old.lease_expires_at <= interlock.clock(), false);
  v_assigned := new.id::text is not distinct from current_setting('interlock.assigned_batch', true);
  v_is_claim := case
    when new.status = 'claimed' and (old.status <> 'claimed' or new.driver_id is distinct from old.driver_id) then true
    when new.status in ('claimed', 'in_progress') and new.status = old.status then
      v_lease_over and new.lease_expires_at > interlock.clock()
    else false
  end;

  -- What the driver concerned had until now.
  v_event := case
    when not (v_is_claim or new.status = 'available' and old.status <> 'available') then null
    when v_lease_over then 'expired'
    when old.driver_id is not null then 'released'
  end;
  if v_event is not null then
    insert into interlock.batch_events (batch_id, event, driver_id, version, actor_id, reason)
    values (
      new.id, v_event, old.driver_id, new.version, auth.uid(),
      case when v_assigned then nullif(current_setting('interlock.assignment_reason', true), '') end
    );
  end if;

  v_event := case
    when v_is_claim and v_assigned then 'assigned'
    when v_is_claim then 'claimed'
    when new.status = old.status and new.lease_expires_at > old.lease_expires_at then 'renewed'
    when new.status = old.status and new.lease_expires_at < old.lease_expires_at then 'shortened'
    when new.status = old.status then null
    when new.status = 'in_progress' then 'started'
    when new.status in ('completed', 'cancelled') then new.status
  end;
  if v_event is not null then
    insert into interlock.batch_events (batch_id, event, driver_id, version, actor_id, reason)
    values (
      new.id, v_event, case when v_event = 'cancelled' then old.driver_id else new.driver_id end, new.version, auth.uid(),
      case when v_assigned then nullif(current_setting('interlock.assignment_reason', true), '') end
    );
  end if;

  return null;
end
$$;

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

-- Renew, release, start or complete a batch the driver holds with a live lease. `start` and `complete` say yes
-- to a driver who has done it already. What was delivered late is delivered: `complete` needs no live lease, as long
-- as nobody else has taken the batch.
--
-- Callers: interlock.claim_route, with the driver's row locked.
-- Locks: the batch row, waiting, and only after an unlocked look has found it held.
-- Errors: BATCH_NOT_FOUND, BATCH_NOT_HELD, LEASE_EXPIRED; 55P03 after lock_timeout.
create function interlock.act_on_held_batch(p_batch_id uuid, p_driver_id uuid, p_action text)
returns interlock.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch interlock.batches;
begin
  loop
    select b.* into v_batch from interlock.batches b where b.id = p_batch_id;
    if not found then
      perform interlock.raise_error('BATCH_NOT_FOUND', jsonb_build_object('batch_id', p_batch_id));
    end if;

    if p_action = 'complete' and v_batch.status = 'completed' and v_batch.driver_id = p_driver_id then
      return v_batch;
    end if;

    if v_batch.status not in ('claimed', 'in_progress') or v_batch.driver_id <> p_driver_id then
      perform interlock.raise_error(
        'BATCH_NOT_HELD',
        jsonb_build_object('batch_id', v_batch.id, 'status', v_batch.status)
      );
    end if;

    if p_action <> 'complete' and v_batch.lease_expires_at <= interlock.clock() then
      perform interlock.raise_error('LEASE_EXPIRED', interlock.batch_state(v_batch));
    end if;

    if p_action = 'start' and v_batch.status = 'in_progress' then
      return v_batch;
    end if;

    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    -- The guard repeats on the newest version of the row what was just read. What
    -- follows from a new status (times, a longer lease, an empty holder) is filled in by the trigger.
    update interlock.batches b
    set status = case p_action
          when 'release' then 'available'
          when 'start' then 'in_progress'
          when 'complete' then 'completed'
          else b.status
        end,
        lease_expires_at = case
          when p_action = 'renew' then greatest(b.lease_expires_at, interlock.next_lease_end(b.status))
          else b.lease_expires_at
        end
    where b.id = p_batch_id
      and b.driver_id = p_driver_id
      and b.status in ('claimed', 'in_progress')
      and (p_action = 'complete' or b.lease_expires_at > interlock.clock())
    returning b.* into v_batch;

    exit when found;
  end loop;

  return v_batch;
end
$$;

-- What public.assign_batch does, with its owner's rights: the shop gives a batch to a driver in one step, whoever
-- has it. The new driver begins anew, with a claim of their own; the history says who lost it, who got it, by whom
-- and why. To a driver who has it under a live lease it changes nothing, so the call can be sent again.
--
-- Only the driver who gets it is locked. Whoever has it may be claiming, renewing or completing it at that moment: they
-- meet on the row of the batch, and each asks it again who has it.
--
-- Callers: authenticated (staff) and service_role, through public.assign_batch.
-- Locks: the driver, then the batch row, waiting; then, only if that driver's lease on another batch is over, that
--   batch's row with `nowait`. Each wait lasts two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, DRIVER_NOT_FOUND, BATCH_NOT_FOUND, BATCH_FINISHED, DRIVER_BUSY;
--   55P03 and 40P01 are transient and nothing has happened.
-- Security definer: staff have no right to write batches.
create function interlock.assign_batch(p_batch_id uuid, p_driver_user_id uuid, p_reason text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_held interlock.batches;
  v_batch interlock.batches;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();

  if p_batch_id is null then
    v_problems := v_problems || interlock.problem('/p_batch_id', 'is required');
  end if;
  if p_driver_user_id is null then
    v_problems := v_problems || interlock.problem('/p_driver_user_id', 'is required');
  end if;
  if char_length(p_reason) not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_reason', 'must be 1 to 200 characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  perform 1
  from interlock.drivers d
  where d.user_id = p_driver_user_id
    and d.active
  for no key update;
  if not found then
    perform interlock.raise_error('DRIVER_NOT_FOUND', jsonb_build_object('driver_user_id', p_driver_user_id));
  end if;

  loop
    -- In this order: a batch that leaves the driver between the two looks was theirs at the first.
    v_held := interlock.find_held_batch(p_driver_user_id);
    select b.* into v_batch from interlock.batches b where b.id = p_batch_id;
    if not found then
      perform interlock.raise_error('BATCH_NOT_FOUND', jsonb_build_object('batch_id', p_batch_id));
    end if;
    if v_held.lease_expires_at > interlock.clock() then
      exit when v_held.id = p_batch_id;
      perform interlock.raise_error('DRIVER_BUSY', interlock.batch_state(v_held));
    end if;

    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    -- Which of its statuses it has does not matter, so a lock says whether it still has one of them.
    perform 1
    from interlock.batches b
    where b.id = p_batch_id
      and b.status in ('available', 'claimed', 'in_progress')
    for no key update;
    if not found then
      select b.* into v_batch from interlock.batches b where b.id = p_batch_id;
      continue when not found;
      perform interlock.raise_error('BATCH_FINISHED', interlock.batch_state(v_batch));
    end if;

    if v_held.id <> p_batch_id then
      perform interlock.give_back_stale_batch(p_driver_user_id);
    end if;
    perform set_config('interlock.assigned_batch', p_batch_id::text, true),
      set_config('interlock.assignment_reason', coalesce(p_reason, ''), true);
    begin
      update interlock.batches b
      set status = case when b.driver_id = p_driver_user_id then b.status else 'claimed' end,
          driver_id = p_driver_user_id,
          claimed_at = interlock.clock(),
          lease_expires_at = interlock.next_lease_end(
            case when b.driver_id = p_driver_user_id then b.status else 'claimed' end
          )
      where b.id = p_batch_id
      returning b.* into v_batch;
    exception
      -- Only if something else than our functions gave the driver a batch meanwhile.
      when unique_violation then
        perform interlock.raise_error(
          'DRIVER_BUSY', interlock.batch_state(interlock.find_held_batch(p_driver_user_id))
        );
    end;
    perform set_config('interlock.assigned_batch', '', true), set_config('interlock.assignment_reason', '', true);
    exit;
  end loop;

  return jsonb_build_object('success', true, 'batch', interlock.batch_to_json(v_batch));
end
$$;

-- The state of a batch as a refused driver may see it: never who holds it.
create function interlock.batch_state(p_batch interlock.batches)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'batch_id', p_batch.id,
    'status', p_batch.status,
    'lease_expires_at', p_batch.lease_expires_at
  );
end
$$;

-- A batch as its driver sees it.
--
-- Callers: interlock.claim_route.
create function interlock.batch_to_json(p_batch interlock.batches)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_batch.id,
    'status', p_batch.status,
    'driver_id', p_batch.driver_id,
    'claimed_at', p_batch.claimed_at,
    'lease_expires_at', p_batch.lease_expires_at,
    'started_at', p_batch.started_at,
    'completed_at', p_batch.completed_at,
    'priority', p_batch.priority,
    'version', p_batch.version,
    'reference', p_batch.reference,
    'created_at', p_batch.created_at
  );
end
$$;

-- Refuse arguments the function claim-route would have refused already.
--
-- Callers: interlock.claim_route.
-- Errors: VALIDATION_FAILED.
create function interlock.check_claim_route_arguments(p_batch_id uuid, p_action text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_action not in ('claim', 'renew', 'release', 'start', 'complete') then
    perform interlock.refuse_problems(
      interlock.problem('/action', 'must be one of claim, renew, release, start, complete')
    );
  end if;

  if p_action <> 'claim' and p_batch_id is null then
    perform interlock.refuse_problems(
      interlock.problem('/batch_id', format('is required for the action %s', p_action))
    );
  end if;
end
$$;

-- Claim the given batch.
--
-- Callers: interlock.claim_route, with the driver's row locked.
-- Locks: the batch row, waiting; then, only if the driver's lease on another batch is over, that batch's row
--   with `nowait`.
-- Errors: BATCH_NOT_FOUND, DRIVER_BUSY, BATCH_UNAVAILABLE; 23505 and 55P03 as take_batch.
create function interlock.claim_batch(p_batch_id uuid, p_driver_id uuid)
returns interlock.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch interlock.batches;
  v_held interlock.batches;
begin
  loop
    -- In this order: a batch that leaves the driver between the two looks was theirs at the first.
    v_held := interlock.find_held_batch(p_driver_id);
    select b.* into v_batch from interlock.batches b where b.id = p_batch_id;
    if not found then
      perform interlock.raise_error('BATCH_NOT_FOUND', jsonb_build_object('batch_id', p_batch_id));
    end if;

    if v_held.lease_expires_at > interlock.clock() then
      if v_held.id = p_batch_id then
        return v_held;
      end if;
      perform interlock.raise_error('DRIVER_BUSY', interlock.batch_state(v_held));
    end if;

    if not interlock.is_claimable(v_batch.status, v_batch.lease_expires_at) then
      perform interlock.raise_error('BATCH_UNAVAILABLE', interlock.batch_state(v_batch));
    end if;

    if v_held.id <> p_batch_id then
      if not interlock.lock_claimable_batch(p_batch_id) then
        continue;
      end if;
      perform interlock.give_back_stale_batch(p_driver_id);
    end if;

    v_batch := interlock.take_batch(p_batch_id, p_driver_id);
    exit when v_batch.id is not null;
  end loop;

  return v_batch;
end
$$;

-- Claim the next batch: by priority, then age. A batch whose lease the driver let pass, and which nobody has
-- claimed since, comes first: it is probably still in the van.
--
-- Callers: interlock.claim_route, with the driver's row locked.
-- Locks: one batch row. First without waiting (skip locked); only when everything claimable is locked by others
--   does it wait, for one row at a time, so that nobody is told "none" because of a claim that is then rolled
--   back.
-- Errors: DRIVER_BUSY, NO_BATCH_AVAILABLE; 23505 and 55P03 as take_batch.
create function interlock.claim_next_batch(p_driver_id uuid)
returns interlock.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch interlock.batches;
  v_held interlock.batches;
  v_batch_id uuid;
begin
  v_held := interlock.find_held_batch(p_driver_id);
  if v_held.lease_expires_at > interlock.clock() then
    perform interlock.raise_error('DRIVER_BUSY', interlock.batch_state(v_held));
  end if;
  if v_held.id is not null then
    v_batch := interlock.take_batch(v_held.id, p_driver_id);
    if v_batch.id is not null then
      return v_batch;
    end if;
  end if;

  v_batch_id := interlock.lock_next_claimable_batch();
  if v_batch_id is not null then
    return interlock.take_batch(v_batch_id, p_driver_id);
  end if;

  loop
    select c.id
    into v_batch_id
    from interlock.claimable_batches c
    order by c.priority desc, c.created_at, c.id
    limit 1;

    if not found then
      perform interlock.raise_error('NO_BATCH_AVAILABLE');
    end if;

    v_batch := interlock.take_batch(v_batch_id, p_driver_id);
    exit when v_batch.id is not null;
  end loop;

  return v_batch;
end
$$;

-- What public.claim_route does, with its owner's rights, replayed under an idempotency key.
--
-- Reads decide first, without a lock, so a refusal never makes the winner wait. The guard is the conditional update:
-- it changes the row only if the rule still holds on its newest version. Where an update finds that it does not, the
-- function looks again; every turn of such a loop means that somebody else's transaction has succeeded.
--
-- No transaction of ours ever *waits* for a batch row while it holds another one, so two drivers cannot deadlock. One
-- call needs two batch rows: a driver whose lease on batch X is over claims batch Y, and X must be given back first,
-- because of batches_one_active_per_driver. It waits for Y, then takes X with `nowait`. If somebody is claiming X at
-- that moment the call fails with 55P03 and leaves nothing behind; the function claim-route repeats it.
--
-- Callers: authenticated and service_role, through public.claim_route.
-- Locks: idempotency key, driver row, then batch rows as claim_batch, claim_next_batch and act_on_held_batch say. Each
--   wait lasts two seconds at most.
-- Errors: VALIDATION_FAILED, UNAUTHENTICATED, IDEMPOTENCY_KEY_REUSED, NOT_A_DRIVER, BATCH_NOT_FOUND,
--   BATCH_UNAVAILABLE, NO_BATCH_AVAILABLE, DRIVER_BUSY, LEASE_EXPIRED, BATCH_NOT_HELD; 55P03 and 40P01 are transient
--   and nothing has happened.
-- Security definer: drivers have no right to write batches. Nothing here trusts an argument for who is calling; that
--   is auth.uid().
create function interlock.claim_route(p_batch_id uuid, p_action text, p_idempotency_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_action constant text := coalesce(p_action, 'claim');
  v_driver_id uuid;
  v_batch interlock.batches;
  v_constraint text;
  v_answer text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.check_claim_route_arguments(p_batch_id, v_action);
  if auth.uid() is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;

  v_answer := interlock.begin_idempotent(
    'claim_route', p_idempotency_key, jsonb_build_object('batch_id', p_batch_id, 'action', v_action)
  );
  if v_answer is not null then
    return v_answer::jsonb;
  end if;

  v_driver_id := interlock.lock_driver();

  if v_action <> 'claim' then
    v_batch := interlock.act_on_held_batch(p_batch_id, v_driver_id, v_action);
  else
    -- The sub-transaction holds all batch locks and updates of a claim: a row that is locked outside one and updated
    -- inside costs a multixact.
    begin
      if p_batch_id is null then
        v_batch := interlock.claim_next_batch(v_driver_id);
      else
        v_batch := interlock.claim_batch(p_batch_id, v_driver_id);
      end if;
    exception
      -- Only if something else than this function gave the driver a batch meanwhile.
      when unique_violation then
        get stacked diagnostics v_constraint = constraint_name;
        if v_constraint <> 'batches_one_active_per_driver' then
          raise;
        end if;
        perform interlock.raise_error(
          'DRIVER_BUSY',
          interlock.batch_state(interlock.find_held_batch(v_driver_id))
        );
    end;
  end if;

  v_answer := jsonb_build_object('success', true, 'batch', interlock.batch_to_json(v_batch))::text;
  perform interlock.finish_idempotent('claim_route', p_idempotency_key, v_answer);
  return v_answer::jsonb;
end
$$;

-- What a driver holds, with a live lease or one that is over but not lost yet.
--
-- Returns a row of nulls if nothing. Volatile: whoever asks again looks again.
create function interlock.find_held_batch(p_driver_id uuid)
returns interlock.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch interlock.batches;
begin
  select b.*
  into v_batch
  from interlock.batches b
  where b.driver_id = p_driver_id
    and b.status in ('claimed', 'in_progress');

  return v_batch;
end
$$;

-- Give back the batch a driver still has under a lease that is over, so that they can hold another one.
--
-- Callers: interlock.claim_batch, while it holds the batch to be claimed.
-- Locks: the stale batch's row, `nowait`: the only second batch row of any transaction.
-- Errors: 55P03 if somebody else is claiming it right now (transient).
create function interlock.give_back_stale_batch(p_driver_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_batch_id uuid;
begin
  select b.id
  into v_batch_id
  from interlock.batches b
  where b.driver_id = p_driver_id
    and b.status in ('claimed', 'in_progress')
    and b.lease_expires_at <= interlock.clock()
  for no key update nowait;

  -- Nothing left to give back if another driver has claimed it since.
  if found then
    update interlock.batches
    set status = 'available'
    where id = v_batch_id;
  end if;
end
$$;

-- The one rule that says whether a batch may be claimed. Used as the guard of every lock and update,
-- where Postgres evaluates it again on the newest version of the row after a wait.
create function interlock.is_claimable(p_status text, p_lease_expires_at timestamptz)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return p_status = 'available'
    or (p_status in ('claimed', 'in_progress') and p_lease_expires_at <= interlock.clock());
end
$$;

-- Lock one batch if it is claimable once the lock is there.
--
-- Callers: interlock.claim_batch, before it gives back another batch.
-- Locks: the batch row, waiting. The caller holds no other batch row.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_claimable_batch(p_batch_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1
  from interlock.batches b
  where b.id = p_batch_id
    and interlock.is_claimable(b.status, b.lease_expires_at)
  for no key update;

  return found;
end
$$;

-- Lock the calling driver: serialises one driver's own calls until the transaction ends. Returns their id.
--
-- Callers: interlock.claim_route.
-- Locks: the caller's row of drivers, waiting. `no key`: foreign keys do not wait for it.
-- Errors: UNAUTHENTICATED (the account is gone), NOT_A_DRIVER; 55P03 after lock_timeout.
create function interlock.lock_driver()
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_driver_id constant uuid := auth.uid();
  v_active boolean;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select d.active
  into v_active
  from interlock.drivers d
  where d.user_id = v_driver_id
  for no key update;

  if v_active is not true then
    perform interlock.require_user();
    perform interlock.raise_error('NOT_A_DRIVER');
  end if;

  return v_driver_id;
end
$$;

-- Lock the first available batch that nobody else is locking. One table, so that Postgres passes cheaply over
-- rows that others are locking or have just taken. (A join of the view above with this table would be evaluated
-- again from the head of the queue for every row that changed under it.)
--
-- Callers: interlock.lock_next_claimable_batch.
-- Locks: one batch row, never waiting (skip locked).
-- Errors: none; null if there is none.
create function interlock.lock_first_available_batch()
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_batch_id uuid;
begin
  select b.id
  into v_batch_id
  from interlock.batches b
  where b.status = 'available'
  order by b.priority desc, b.created_at, b.id
  limit 1
  for no key update skip locked;

  return v_batch_id;
end
$$;

-- Lock the first batch under a lease that is over and that nobody else is locking; with p_before, only one that
-- comes before that batch in the queue. (No default: where there are many shops Postgres 15 would not add a column to a type that has one.)
--
-- Callers: interlock.lock_next_claimable_batch.
-- Locks: one batch row, never waiting (skip locked).
-- Errors: none; null if there is none.
create function interlock.lock_first_expired_batch(p_before interlock.batches)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_batch_id uuid;
begin
  select b.id
  into v_batch_id
  from interlock.batches b
  where b.status in ('claimed', 'in_progress')
    and b.lease_expires_at <= interlock.clock()
    and (
      p_before.id is null
      or (-b.priority::bigint, b.created_at, b.id)
        < (-p_before.priority::bigint, p_before.created_at, p_before.id)
    )
  order by b.priority desc, b.created_at, b.id
  limit 1
  for no key update skip locked;

  return v_batch_id;
end
$$;

-- Lock the next batch of the queue, in which available batches and leases that are over stand on the same
-- footing. The head of the available ones is only looked at, so that the kind that comes second is not left
-- locked. While others claim at the same time the order between the two kinds is as of that look.
--
-- Callers: interlock.claim_next_batch.
-- Locks: one batch row, never waiting, through the two functions above.
-- Errors: none; null if there is none.
create function interlock.lock_next_claimable_batch()
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_head interlock.batches;
  v_batch_id uuid;
begin
  if exists (
    select 1
    from interlock.batches b
    where b.status in ('claimed', 'in_progress')
      and b.lease_expires_at <= interlock.clock()
  ) then
    select b.*
    into v_head
    from interlock.batches b
    where b.status = 'available'
    order by b.priority desc, b.created_at, b.id
    limit 1;

    v_batch_id := interlock.lock_first_expired_batch(v_head);
  end if;

  return coalesce(
    v_batch_id,
    interlock.lock_first_available_batch(),
    interlock.lock_first_expired_batch(null)
  );
end
$$;

-- When a lease that begins now will end: that of a started batch is a setting of its own.
create function interlock.next_lease_end(p_status text)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select interlock.clock() + case p_status when 'in_progress' then started_lease else claim_lease end
    from interlock.settings
  );
end
$$;

-- The claim itself, one conditional update. Whoever comes second waits for the first, sees the new row and
-- changes nothing. A driver who claims again what they have started, and let pass, is still on the road with it: it
-- stays in progress since they started.
--
-- Callers: interlock.claim_batch, interlock.claim_next_batch.
-- Locks: the batch row, waiting.
-- Errors: 23505 on batches_one_active_per_driver, 55P03 after lock_timeout. A row of nulls if the batch is not
--   claimable.
create function interlock.take_batch(p_batch_id uuid, p_driver_id uuid)
returns interlock.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch interlock.batches;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.batches b
  set status = case when b.driver_id = p_driver_id then b.status else 'claimed' end,
      driver_id = p_driver_id,
      claimed_at = interlock.clock(),
      lease_expires_at = interlock.next_lease_end(case when b.driver_id = p_driver_id then b.status else 'claimed' end)
  where b.id = p_batch_id
    and interlock.is_claimable(b.status, b.lease_expires_at)
  returning b.* into v_batch;

  return v_batch;
end
$$;

-- What interlock.is_claimable says, written for two partial indexes: candidates of both kinds on the same footing.
-- Sorted by (priority desc, created_at, id) with a limit, Postgres merges the head of batches_next_available with the
-- leases that are over (at most one for each driver), however large the table is.
create view interlock.claimable_batches
with (security_invoker = true)
as
  -- Without an order of its own in each arm the planner sorts the whole queue instead.
  (
    select a.id, a.priority, a.created_at
    from interlock.batches a
    where a.status = 'available'
    order by a.priority desc, a.created_at, a.id
  )
  union all
  (
    select e.id, e.priority, e.created_at
    from interlock.batches e
    where e.status in ('claimed', 'in_progress')
      and e.lease_expires_at <= interlock.clock()
    order by e.priority desc, e.created_at, e.id
  );

comment on view interlock.claimable_batches is
  'Batches that may be claimed. Order by priority desc, created_at, id to get the queue.';

create function public.assign_batch(p_batch_id uuid, p_driver_user_id uuid, p_reason text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.assign_batch(p_batch_id, p_driver_user_id, p_reason);
end
$$;

comment on function public.assign_batch(uuid, uuid, text) is
  'Gives a batch to a driver in one step, whoever has it; batch_events says from whom, to whom, by whom and why. For staff and the service role.';

create function public.claim_route(
  p_batch_id uuid default null,
  p_action text default 'claim',
  p_idempotency_key text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.claim_route(p_batch_id, p_action, p_idempotency_key);
end
$$;

comment on function public.claim_route(uuid, text, text) is
  'Claims a delivery batch for the calling driver (the next one without p_batch_id); p_action renew, release, start or complete acts on one they hold.';

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.act_on_held_batch is
  'Renew, release, start or complete a batch the driver holds with a live lease.';
comment on function interlock.assign_batch is
  'What public.assign_batch does, with its owner''s rights: the shop gives a batch to a driver in one step, whoever has it.';
comment on function interlock.batch_state is
  'The state of a batch as a refused driver may see it: never who holds it.';
comment on function interlock.batch_to_json is
  'A batch as its driver sees it.';
comment on function interlock.broadcast_batch is
  'Broadcast to drivers that a batch can be had now, or not any more: what a phone shows of it, and its version, so what comes late or twice does no harm.';
comment on function interlock.check_claim_route_arguments is
  'Refuse arguments the function claim-route would have refused already.';
comment on function interlock.claim_batch is
  'Claim the given batch.';
comment on function interlock.claim_next_batch is
  'Claim the next batch: by priority, then age.';
comment on function interlock.claim_route is
  'What public.claim_route does, with its owner''s rights, replayed under an idempotency key.';
comment on function interlock.find_held_batch is
  'What a driver holds, with a live lease or one that is over but not lost yet.';
comment on function interlock.give_back_batch_of_removed_driver is
  'Give back the batch a driver holds before their row goes.';
comment on function interlock.give_back_stale_batch is
  'Give back the batch a driver still has under a lease that is over, so that they can hold another one.';
comment on function interlock.guard_batch_transition is
  'Trigger: refuse an illegal change of a batch, count its version, fill in what a new status implies.';
comment on function interlock.is_claimable is
  'The one rule that says whether a batch may be claimed.';
comment on function interlock.lock_claimable_batch is
  'Lock one batch if it is claimable once the lock is there.';
comment on function interlock.lock_driver is
  'Lock the calling driver: serialises one driver''s own calls until the transaction ends.';
comment on function interlock.lock_first_available_batch is
  'Lock the first available batch that nobody else is locking.';
comment on function interlock.lock_first_expired_batch is
  'Lock the first batch under a lease that is over and that nobody else is locking; with p_before, only one that comes before that batch in the queue.';
comment on function interlock.lock_next_claimable_batch is
  'Lock the next batch of the queue, in which available batches and leases that are over stand on the same footing.';
comment on function interlock.next_lease_end is
  'When a lease that begins now will end: that of a started batch is a setting of its own.';
comment on function interlock.record_batch_event is
  'Write the history of a batch.';
comment on function interlock.take_batch is
  'The claim itself, one conditional update.';

-- Who may call what of delivery. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.assign_batch(uuid, uuid, text),
  public.claim_route(uuid, text, text)
from public, anon, authenticated, service_role;

grant execute on function
  public.assign_batch(uuid, uuid, text), interlock.assign_batch,
  public.claim_route(uuid, text, text), interlock.claim_route
to authenticated, service_role;

-- What apps and the shop read of delivery over REST, each where its name is free in public (interlock.expose).
select interlock.expose('drivers');
select interlock.expose('batches');
select interlock.expose('batch_events');
