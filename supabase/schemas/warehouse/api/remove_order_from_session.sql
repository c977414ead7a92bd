create function public.remove_order_from_session(p_session_id uuid, p_order_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.remove_order_from_session(p_session_id, p_order_id);
end
$$;

comment on function public.remove_order_from_session(uuid, uuid) is
  'Takes an order out of its picking session. For whoever works in the warehouse, and the service role.';
