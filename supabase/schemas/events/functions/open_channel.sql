-- Make the endpoint of a channel that is no webhook, or switch it on or off; null leaves it as it is. One that is switched on
-- begins afresh, as webhooks do. Of one subject it gets one event after the other.
--
-- Callers: interlock.set_mail_settings, interlock.set_crm_settings, interlock.set_crm_mappings.
-- Locks: the cursor; the endpoint.
create function interlock.open_channel(p_channel text, p_description text, p_event_types text[], p_active boolean)
returns interlock.webhook_endpoints
language plpgsql
set search_path = ''
as $$
declare
  v_endpoint interlock.webhook_endpoints;
begin
  perform interlock.watch_events();
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  loop
    update interlock.webhook_endpoints w
    set event_types = p_event_types,
        active = coalesce(p_active, w.active),
        active_since = case when p_active and not w.active then now() else w.active_since end,
        failing_since = case when p_active and not w.active then null else w.failing_since end,
        disabled_at = case when p_active then null else w.disabled_at end
    where w.channel = p_channel
      and w.channel <> 'webhook'
    returning * into v_endpoint;
    exit when found;

    insert into interlock.webhook_endpoints (channel, description, event_types, ordered, active)
    values (p_channel, p_description, p_event_types, true, coalesce(p_active, true))
    on conflict do nothing
    returning * into v_endpoint;
    exit when found;
  end loop;
  return v_endpoint;
end
$$;
