create function public.release_picking(p_session_id uuid, p_product_ids uuid[] default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.release_picking(p_session_id, p_product_ids);
end
$$;

comment on function public.release_picking(uuid, uuid[]) is
  'Gives back products of a picking session that were claimed. For whoever works in the warehouse.';
