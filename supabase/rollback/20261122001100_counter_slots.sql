-- Undoes 20261122001100_counter_slots.sql.
-- Newest first: run it in one transaction, then `supabase migration repair --status reverted 20261122001100`.

set local lock_timeout = '5s';

drop function private.guard_slots();
drop function private.make_slots(uuid, int);
drop function private.grant_slots(uuid, int, int);
drop function private.call_in_slots(uuid);
drop function private.use_slot(uuid, int, boolean);
drop table private.counter_slots;
