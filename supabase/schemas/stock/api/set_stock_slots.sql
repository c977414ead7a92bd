create function public.set_stock_slots(p_product_id uuid, p_slots int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.set_stock_slots(p_product_id, p_slots);
end
$$;

comment on function public.set_stock_slots(uuid, int) is
  'Spreads the stock of a hot product over p_slots slots (0 switches off), while it is being sold. For the service role.';
