create function public.ship_order_lines(
  p_order_id uuid,
  p_lines jsonb,
  p_tracking text default null,
  p_reference text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.ship_order_lines(p_order_id, p_lines, p_tracking, p_reference);
end
$$;

comment on function public.ship_order_lines(uuid, jsonb, text, text) is
  'Marks units of lines [{"product_id", "quantity"}] of a confirmed or paid order as on their way, in a parcel of their own: the order is partly_shipped, and shipped once nothing is left. For staff and the service role.';
