create function public.decrement_product_quantity(p_product_id uuid, p_quantity int)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.decrement_product_quantity(p_product_id, p_quantity)
$$;

comment on function public.decrement_product_quantity(uuid, int) is
  'Takes p_quantity units of a product, atomically; never below zero. For the service role.';
