-- Lock an endpoint for webhooks and answer it.
--
-- Callers: the functions that change endpoints.
-- Locks: the endpoint.
-- Errors: WEBHOOK_ENDPOINT_NOT_FOUND.
create function interlock.lock_webhook_endpoint(p_endpoint_id uuid)
returns interlock.webhook_endpoints
language plpgsql
set search_path = ''
as $$
declare
  v_endpoint interlock.webhook_endpoints;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select w.* into v_endpoint
  from interlock.webhook_endpoints w
  where w.id = p_endpoint_id
    and w.channel = 'webhook'
  for no key update;
  if not found then
    perform interlock.raise_error('WEBHOOK_ENDPOINT_NOT_FOUND', jsonb_build_object('endpoint_id', p_endpoint_id));
  end if;
  return v_endpoint;
end
$$;
