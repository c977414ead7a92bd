create function public.decrement_inventory(
  p_inventory_id uuid,
  p_quantity numeric,
  p_reference text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.decrement_inventory(p_inventory_id, p_quantity, p_reference);
end
$$;

comment on function public.decrement_inventory(uuid, numeric, text) is
  'Takes p_quantity of a stock, atomically; never below zero; once for each p_reference. For staff and the service role.';
