create function public.create_webhook_endpoint(
  p_url text, p_description text default null, p_event_types text[] default null, p_ordered boolean default false
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.create_webhook_endpoint(p_url, p_description, p_event_types, p_ordered)
$$;

comment on function public.create_webhook_endpoint(text, text, text[], boolean) is
  'Has events sent to a URL, of some types or of all; answers the secret by which they are signed, once. For staff and the service role.';
