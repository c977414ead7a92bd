create function public.decrement_product_quantity(
  p_product_id uuid,
  p_quantity int,
  p_reference text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.decrement_product_quantity(p_product_id, p_quantity, p_reference);
end
$$;

comment on function public.decrement_product_quantity(uuid, int, text) is
  'Takes p_quantity units of a product, atomically; never below zero; once for each p_reference. For the service role.';
