create function public.count_stock(
  p_product_id uuid,
  p_counted int,
  p_expected int,
  p_reason text default null,
  p_reference text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.count_stock(p_product_id, p_counted, p_expected, p_reason, p_reference);
end
$$;

comment on function public.count_stock(uuid, int, int, text, text) is
  'Sets the stock to what was counted, unless it is no longer p_expected; once for each p_reference. For staff and the service role.';
