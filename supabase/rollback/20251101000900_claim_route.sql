-- Undoes 20251101000900_claim_route.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251101000900`.

set local lock_timeout = '5s';

drop function public.claim_route(uuid, text);
drop function private.claim_route(uuid, text);
drop function private.act_on_held_batch(uuid, uuid, text);
drop function private.claim_next_batch(uuid);
drop function private.claim_batch(uuid, uuid);
drop function private.check_claim_route_arguments(uuid, text);
drop function private.find_held_batch(uuid);
drop function private.batch_state(public.batches);
drop function private.batch_to_json(public.batches);
