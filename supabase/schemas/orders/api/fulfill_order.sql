create function public.fulfill_order(p_order_id uuid)
returns json
language sql
security invoker
set search_path = ''
as $$
  select interlock.fulfill_order(p_order_id)
$$;

comment on function public.fulfill_order(uuid) is
  'Marks a paid order, or one in cash that is paid at the door, as handed over. For staff and the service role.';
