-- What public.create_webhook_endpoint does, with its owner's rights: an endpoint that gets the events of all transactions
-- that begin from now on, of some types or of all. Its secret is answered here and never again.
--
-- Callers: authenticated (staff) and service_role, through public.create_webhook_endpoint.
-- Locks: the cursor.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints.
create function interlock.create_webhook_endpoint(p_url text, p_description text, p_event_types text[], p_ordered boolean)
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
  perform interlock.refuse_problems(
    case when p_url is null then interlock.problem('/p_url', 'is required') else '[]' end
    || interlock.find_webhook_problems(p_url, p_description, p_event_types)
  );

  perform interlock.watch_events();
  insert into interlock.webhook_endpoints (url, description, event_types, ordered)
  values (p_url, nullif(btrim(p_description), ''), nullif(p_event_types, '{}'), coalesce(p_ordered, false))
  returning * into v_endpoint;

  return jsonb_build_object(
    'success', true,
    'endpoint', interlock.webhook_endpoint_to_json(v_endpoint),
    'secret', interlock.add_webhook_secret(v_endpoint.id)
  );
end
$$;
