create function public.update_webhook_endpoint(
  p_endpoint_id uuid,
  p_url text default null,
  p_description text default null,
  p_event_types text[] default null,
  p_ordered boolean default null,
  p_active boolean default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.update_webhook_endpoint(p_endpoint_id, p_url, p_description, p_event_types, p_ordered, p_active)
$$;

comment on function public.update_webhook_endpoint(uuid, text, text, text[], boolean, boolean) is
  'Changes what is given of an endpoint; an empty list of types is all of them. For staff and the service role.';
