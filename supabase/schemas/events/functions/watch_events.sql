-- Begin with what happens from now on, if no endpoint has been listening: what nobody wanted is not looked through.
--
-- Callers: interlock.create_webhook_endpoint, interlock.update_webhook_endpoint, interlock.open_channel,
--   interlock.set_crm_mappings, before an endpoint becomes active.
-- Locks: the cursor.
create function interlock.watch_events()
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform from interlock.delivery_cursor c for update;
  if not exists (select from interlock.webhook_endpoints w where w.active) then
    update interlock.delivery_cursor set seen = interlock.committed_snapshot(), target = null, position = 0;
  end if;
end
$$;
