create function public.list_webhook_endpoints()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.list_webhook_endpoints()
$$;

comment on function public.list_webhook_endpoints() is
  'Where events are sent, without the secrets. For staff and the service role.';
