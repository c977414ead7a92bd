create function public.order_story(p_order_id uuid)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.order_story(p_order_id)
$$;

comment on function public.order_story(uuid) is
  'One order as list_orders has it, with its payments, movements of stock and wallet, deliveries, sessions and requests. For staff and the service role.';
