create function public.retry_delivery(
  p_delivery_id bigint default null,
  p_endpoint_id uuid default null,
  p_from timestamptz default null,
  p_to timestamptz default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.retry_delivery(p_delivery_id, p_endpoint_id, p_from, p_to)
$$;

comment on function public.retry_delivery(bigint, uuid, timestamptz, timestamptz) is
  'Sends a delivery again, or up to a thousand dead ones of an endpoint from p_from until p_to. For staff and the service role.';
