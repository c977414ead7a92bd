create function public.fulfill_order(p_order_id uuid)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.fulfill_order(p_order_id);
end
$$;

comment on function public.fulfill_order(uuid) is
  'Marks a paid order, or one in cash that is paid at the door, as handed over. For staff and the service role.';
