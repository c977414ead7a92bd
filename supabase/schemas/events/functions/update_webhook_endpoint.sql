-- What public.update_webhook_endpoint does, with its owner's rights: changes what is not null of an endpoint. An empty list of types is all of
-- them, an empty description none. One that is switched on again begins afresh: it gets what had been waiting for it, and
-- the events of all transactions that begin from now on.
--
-- Callers: authenticated (staff) and service_role, through public.update_webhook_endpoint.
-- Locks: the cursor if it is switched on; the endpoint.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, WEBHOOK_ENDPOINT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints.
create function interlock.update_webhook_endpoint(
  p_endpoint_id uuid, p_url text, p_description text, p_event_types text[], p_ordered boolean, p_active boolean
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  perform interlock.refuse_problems(interlock.find_webhook_problems(p_url, p_description, p_event_types));

  if p_active then
    perform interlock.watch_events();
  end if;
  v_endpoint := interlock.lock_webhook_endpoint(p_endpoint_id);
  update interlock.webhook_endpoints w
  set url = coalesce(p_url, w.url),
      description = case when p_description is null then w.description else nullif(btrim(p_description), '') end,
      event_types = case when p_event_types is null then w.event_types else nullif(p_event_types, '{}') end,
      ordered = coalesce(p_ordered, w.ordered),
      active = coalesce(p_active, w.active),
      active_since = case when p_active and not w.active then now() else w.active_since end,
      failing_since = case when p_active and not w.active then null else w.failing_since end,
      disabled_at = case when p_active then null else w.disabled_at end
  where w.id = p_endpoint_id
  returning w.* into v_endpoint;

  return jsonb_build_object('success', true, 'endpoint', interlock.webhook_endpoint_to_json(v_endpoint));
end
$$;
