create function public.delete_webhook_endpoint(p_endpoint_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.delete_webhook_endpoint(p_endpoint_id)
$$;

comment on function public.delete_webhook_endpoint(uuid) is
  'Removes an endpoint and all that was sent or was to be sent there. For staff and the service role.';
