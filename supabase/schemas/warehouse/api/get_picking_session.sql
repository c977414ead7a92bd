create function public.get_picking_session(p_session_id uuid)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.get_picking_session(p_session_id);
end
$$;

comment on function public.get_picking_session(uuid) is
  'A picking session with its orders, lines and baskets. For whoever works in the warehouse, and the service role.';
