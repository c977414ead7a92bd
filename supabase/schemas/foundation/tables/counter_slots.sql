-- Counter slots: a counter that many transactions use at once, spread over rows.
--
-- A row is locked from the update until the commit is on the disk, so one counter in one row lets one transaction
-- pass per flush. With slots the owner of the counter (a product with its stock, a promo code with its uses) grants
-- units to n rows here, and a transaction uses units of whichever row is free: n of them commit in one flush.
--
--   granted   units of the owner's counter that this slot may use; changes under the owner's lock only
--   used      units that were used here since the slot was called in; never more than `granted`
--
-- The owner's counter itself does not move while slots are used. The exact number is the counter and the sum of
-- `used`, read in one statement. Calling in adds `used` to the counter and empties the slots.
--
-- Lock order (docs/locks.md): the owner's row (its gate), then its slots.
--   * Without the gate a transaction waits for one slot of an owner at most, and holds no other one of it.
--   * With the gate it may wait for each of them, in the order of their numbers.
--   * A transaction that holds a slot never waits for a gate: it gives the slot back first, by ending a
--     sub-transaction (IL002). A row that was locked and then found to have too little stays locked until that.
-- Owners are taken in order: promo codes before products, both by id.
--
-- All of a slot's units are used before anybody is refused, because a refusal is decided under the gate with every
-- slot called in. The slots are filled again when there is plenty (16 units for each); below that they stay empty
-- and the owner is a row like any other.
--
-- No index has a quantity in it and each page has room, so updates stay out of the index (HOT).
create table interlock.counter_slots (
  owner_id uuid not null,
  slot interlock.unit_count not null,
  granted int not null default 0,
  used interlock.unit_count not null default 0,
  constraint counter_slots_pkey primary key (owner_id, slot),
  constraint counter_slots_used_within_granted check (used <= granted)
)
with (fillfactor = 10);

comment on table interlock.counter_slots is
  'Units of hot counters (stock of a product, uses of a promo code), spread over rows that are used side by side.';
comment on column interlock.counter_slots.owner_id is
  'The product or promo code.';
comment on column interlock.counter_slots.granted is
  'Units of the owner''s counter that may be used here.';
comment on column interlock.counter_slots.used is
  'Units used here that the owner''s counter does not show yet.';

alter table interlock.counter_slots enable row level security;

grant select on table interlock.counter_slots to service_role;
