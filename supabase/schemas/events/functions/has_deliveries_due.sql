-- Whether there is anything to deliver at this moment that no worker has.
--
-- Callers: interlock.call_deliver.
-- Locks: none.
create function interlock.has_deliveries_due()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from interlock.webhook_endpoints w
    join interlock.deliveries d on d.endpoint_id = w.id
    where w.active
      and d.state = 'pending'
      and d.next_attempt_at <= interlock.clock()
      and (d.lease is null or d.lease_until <= interlock.clock())
  )
  or exists (select from interlock.new_events(1));
end
$$;
