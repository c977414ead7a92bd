-- The one source of time for leases. It is the time at which the transaction began: an earlier `now` only ever
-- makes a lease look longer, so a call that waited for a lock never takes over a lease that was live when it
-- began.
create function interlock.clock()
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return now();
end
$$;
