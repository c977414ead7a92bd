create function public.adjust_stock(
  p_product_id uuid,
  p_delta int,
  p_reason text default null,
  p_reference text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.adjust_stock(p_product_id, p_delta, p_reason, p_reference);
end
$$;

comment on function public.adjust_stock(uuid, int, text, text) is
  'Books units of a product in (p_delta above 0) or out; once for each p_reference. For staff and the service role.';
