create function public.send_test_event(p_endpoint_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.send_test_event(p_endpoint_id)
$$;

comment on function public.send_test_event(uuid) is
  'Sends an event webhook.test to an endpoint. For staff and the service role.';
