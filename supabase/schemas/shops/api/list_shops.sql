create function public.list_shops(p_after int default null, p_limit int default 100)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.list_shops(p_after, p_limit)
$$;

comment on function public.list_shops(int, int) is
  'The shops of the installation by their ids; p_after is the id of the last one of the page before. For the service role.';
