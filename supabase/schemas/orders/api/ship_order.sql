create function public.ship_order(p_order_id uuid, p_tracking text default null)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.ship_order(p_order_id, p_tracking);
end
$$;

comment on function public.ship_order(uuid, text) is
  'Marks the goods of a confirmed or paid order as on their way, with a tracking number if there is one; again with another number, corrects it. For staff and the service role.';
