create function public.create_picking_session(
  p_order_ids uuid[],
  p_location_id uuid default null,
  p_reference text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.create_picking_session(p_order_ids, p_location_id, p_reference);
end
$$;

comment on function public.create_picking_session(uuid[], uuid, text) is
  'Puts orders together that are to be picked and packed at a location: a picking session. For whoever works in the warehouse, and the service role.';
