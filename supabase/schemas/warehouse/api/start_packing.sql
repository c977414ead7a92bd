create function public.start_packing(p_session_id uuid)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.start_packing(p_session_id)
$$;

comment on function public.start_packing(uuid) is
  'Lets what was picked be packed. For whoever works in the warehouse, and the service role.';
