-- Counter slots: a counter that many transactions use at once, spread over rows.
--
-- A row is locked from the update until the commit is on the disk, so one counter in one row lets one
-- transaction pass per flush. With slots the owner of the counter (a product with its stock, a promo code
-- with its uses) grants units to n rows here, and a transaction uses units of whichever row is free: n of
-- them commit in one flush.
--
--   granted   units of the owner's counter that this slot may use; changes under the owner's lock only
--   used      units that were used here since the slot was called in; never more than `granted`
--
-- The owner's counter itself does not move while slots are used. The exact number is the counter and the
-- sum of `used`, read in one statement. Calling in adds `used` to the counter and empties the slots.
--
-- Lock order (docs/locks.md): the owner's row (its gate), then its slots.
--   * Without the gate a transaction waits for one slot of an owner at most, and holds no other one of it.
--   * With the gate it may wait for each of them, in the order of their numbers.
--   * A transaction that holds a slot never waits for a gate: it gives the slot back first, by ending a
--     sub-transaction (IL002). A row that was locked and then found to have too little stays locked
--     until that.
-- Owners are taken in order: promo codes before products, both by id.
--
-- All of a slot's units are used before anybody is refused, because a refusal is decided under the gate
-- with every slot called in. The slots are filled again when there is plenty (16 units for each); below
-- that they stay empty and the owner is a row like any other.
--
-- No index has a quantity in it and each page has room, so updates stay out of the index (HOT).
--
-- Tests: supabase/tests/21-stock-slots.sql, tests/slot_races.rs

set local lock_timeout = '5s';

create table private.counter_slots (
  owner_id uuid not null,
  slot int not null
    constraint counter_slots_slot_nonnegative check (slot >= 0),
  granted int not null default 0,
  used int not null default 0
    constraint counter_slots_used_nonnegative check (used >= 0),
  constraint counter_slots_pkey primary key (owner_id, slot),
  constraint counter_slots_used_within_granted check (used <= granted)
)
with (fillfactor = 10);

comment on table private.counter_slots is
  'Units of hot counters (stock of a product, uses of a promo code), spread over rows that are used side by side.';
comment on column private.counter_slots.owner_id is
  'The product or promo code.';
comment on column private.counter_slots.granted is
  'Units of the owner''s counter that may be used here.';
comment on column private.counter_slots.used is
  'Units used here that the owner''s counter does not show yet.';

revoke all on table private.counter_slots from public, anon, authenticated, service_role;
grant select on table private.counter_slots to service_role;

-- Purpose: use units of one slot. With p_wait it waits for one that somebody is using.
-- Callers: private.take_from_slots, private.take_promo_use, in a sub-transaction of their own.
-- Locks: one slot; without p_wait never waiting.
-- Errors: IL002 if no slot has enough, or without p_wait none that is free; whoever catches it must have
--   ended the sub-transaction, and with it the locks. 55P03 after lock_timeout.
-- Tests: supabase/tests/21-stock-slots.sql, tests/slot_races.rs
create function private.use_slot(p_owner_id uuid, p_units int, p_wait boolean)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_slot int;
begin
  if p_wait then
    select s.slot
    into v_slot
    from private.counter_slots s
    where s.owner_id = p_owner_id
      and s.granted - s.used >= p_units
    order by random()
    limit 1;
  else
    select s.slot
    into v_slot
    from private.counter_slots s
    where s.owner_id = p_owner_id
      and s.granted - s.used >= p_units
    order by random()
    limit 1
    for no key update skip locked;
  end if;

  update private.counter_slots s
  set used = s.used + p_units
  where s.owner_id = p_owner_id
    and s.slot = v_slot
    and s.granted - s.used >= p_units;

  if not found then
    raise exception using errcode = 'IL002', message = 'no slot has enough';
  end if;
end
$$;

comment on function private.use_slot(uuid, int, boolean) is
  'Uses units of one slot of a counter, or raises IL002.';

revoke all on function private.use_slot(uuid, int, boolean) from public, anon, authenticated, service_role;

-- Purpose: empty the slots of a counter. Returns what was used in them, which the caller counts on the
--   owner's row.
-- Callers: whoever holds the gate.
-- Locks: every slot of the owner in the order of their numbers, waiting; none if nothing is granted, which
--   cannot change under the gate.
-- Errors: 55P03 after lock_timeout.
-- Tests: supabase/tests/21-stock-slots.sql, tests/slot_races.rs
create function private.call_in_slots(p_owner_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used int;
begin
  if not exists (select from private.counter_slots s where s.owner_id = p_owner_id and s.granted > 0) then
    return 0;
  end if;

  select sum(l.used)
  into v_used
  from (
    select s.used
    from private.counter_slots s
    where s.owner_id = p_owner_id
    order by s.slot
    for no key update
  ) l;

  update private.counter_slots s
  set granted = 0,
      used = 0
  where s.owner_id = p_owner_id
    and s.granted > 0;

  return v_used;
end
$$;

comment on function private.call_in_slots(uuid) is
  'Empties the slots of a counter and returns what was used in them.';

revoke all on function private.call_in_slots(uuid) from public, anon, authenticated, service_role;

-- Purpose: share units of a counter out to its empty slots, if there are at least 16 for each.
-- Callers: whoever holds the gate, after private.call_in_slots.
-- Locks: every slot of the owner, which nobody has a use for while they are empty.
-- Errors: none.
-- Tests: supabase/tests/21-stock-slots.sql
create function private.grant_slots(p_owner_id uuid, p_slots int, p_units int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_slots > 0 and p_units / p_slots >= 16 then
    update private.counter_slots s
    set granted = p_units / p_slots
    where s.owner_id = p_owner_id;
  end if;
end
$$;

comment on function private.grant_slots(uuid, int, int) is
  'Shares units of a counter out to its empty slots if there are plenty.';

revoke all on function private.grant_slots(uuid, int, int) from public, anon, authenticated, service_role;

-- Purpose: make the number of slots of a counter p_slots. The slots are empty.
-- Callers: private.set_stock_slots, private.set_promo_slots, which hold the gate and have called in.
-- Locks: the slots that it deletes.
-- Errors: none.
-- Tests: supabase/tests/21-stock-slots.sql
create function private.make_slots(p_owner_id uuid, p_slots int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  delete from private.counter_slots s
  where s.owner_id = p_owner_id
    and s.slot >= p_slots;

  insert into private.counter_slots (owner_id, slot)
  select p_owner_id, n.slot
  from generate_series(0, p_slots - 1) as n (slot)
  on conflict do nothing;
end
$$;

comment on function private.make_slots(uuid, int) is
  'Makes the number of a counter''s slots what is asked for.';

revoke all on function private.make_slots(uuid, int) from public, anon, authenticated, service_role;

-- Purpose: refuse a number of slots in the owner's row that is not the number of its slots: whoever trusts
--   the row would miss units that are granted. An owner that is deleted takes its slots along, unless
--   something was used in them.
-- Callers: triggers on the owners' tables, with the name of the column that has the number.
-- Locks: the row itself, locked by the statement; for a delete its slots, waiting.
-- Errors: 23514 check_violation with constraint name slots_counted.
-- Tests: supabase/tests/21-stock-slots.sql, 22-promo-slots.sql
create function private.guard_slots()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    delete from private.counter_slots s
    where s.owner_id = old.id
      and s.used = 0;
    if not exists (select from private.counter_slots s where s.owner_id = old.id) then
      return old;
    end if;
  elsif (to_jsonb(new) ->> tg_argv[0])::int
    = (select count(*) from private.counter_slots s where s.owner_id = new.id)
  then
    return new;
  end if;

  raise exception using
    errcode = 'check_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = 'slots_counted',
    message = format('%s of %s %s refused: its slots are in use', lower(tg_op), tg_table_name, coalesce(old.id, new.id)),
    hint = 'Change the number with set_stock_slots or set_promo_slots; 0 switches slots off.';
end
$$;

comment on function private.guard_slots() is
  'Trigger: the number of slots in an owner''s row is true, and slots go with their owner.';

revoke all on function private.guard_slots() from public, anon, authenticated, service_role;
