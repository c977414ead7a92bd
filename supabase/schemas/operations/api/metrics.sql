create function public.metrics()
returns interlock."text/plain"
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.metrics()
$$;

comment on function public.metrics() is
  'The shop''s state in numbers, as OpenMetrics text. For tokens whose app_metadata.role is metrics, staff and the service role.';
