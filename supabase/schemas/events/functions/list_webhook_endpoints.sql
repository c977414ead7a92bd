-- What public.list_webhook_endpoints does, with its owner's rights: the endpoints, without their secrets.
--
-- Callers: authenticated (staff) and service_role, through public.list_webhook_endpoints.
-- Errors: UNAUTHENTICATED, FORBIDDEN.
-- Security definer: staff read no endpoints otherwise.
create function interlock.list_webhook_endpoints()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  perform interlock.refuse_unless_shop();
  return jsonb_build_object('success', true, 'endpoints', coalesce((
    select jsonb_agg(interlock.webhook_endpoint_to_json(w) order by w.id) from interlock.webhook_endpoints w
  ), '[]'));
end
$$;
