-- When a lease that begins now will end.
create function interlock.next_lease_end()
returns timestamptz
language sql
stable
set search_path = ''
as $$
  select interlock.clock() + claim_lease from interlock.settings
$$;
