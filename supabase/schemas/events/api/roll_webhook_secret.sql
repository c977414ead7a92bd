create function public.roll_webhook_secret(p_endpoint_id uuid, p_overlap_hours int default 24)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.roll_webhook_secret(p_endpoint_id, p_overlap_hours)
$$;

comment on function public.roll_webhook_secret(uuid, int) is
  'Makes another secret for an endpoint and answers it, once; the one before it signs, too, for p_overlap_hours. For staff and the service role.';
