create function public.process_order(p_order_id uuid)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.process_order(p_order_id);
end
$$;

comment on function public.process_order(uuid) is
  'Marks the goods of a confirmed or paid order as being prepared: its buyer can no longer cancel it. For staff and the service role.';
