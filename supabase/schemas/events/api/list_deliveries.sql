create function public.list_deliveries(
  p_endpoint_id uuid default null, p_state text default null, p_before bigint default null, p_limit int default 50
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.list_deliveries(p_endpoint_id, p_state, p_before, p_limit)
$$;

comment on function public.list_deliveries(uuid, text, bigint, int) is
  'For staff and the service role: what was sent to endpoints, the newest first, with each attempt; p_before is the id of the last one of the page before.';
