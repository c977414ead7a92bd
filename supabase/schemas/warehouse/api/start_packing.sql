create function public.start_packing(p_session_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.start_packing(p_session_id);
end
$$;

comment on function public.start_packing(uuid) is
  'Lets what was picked be packed. For whoever works in the warehouse, and the service role.';
