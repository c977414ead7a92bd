create function public.refund_order_lines(
  p_order_id uuid,
  p_lines jsonb default '[]',
  p_reason text default null,
  p_restock boolean default null,
  p_shipping boolean default false,
  p_outside boolean default false,
  p_reference text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.refund_order_lines(p_order_id, p_lines, p_reason, p_restock, p_shipping, p_outside, p_reference);
end
$$;

comment on function public.refund_order_lines(uuid, jsonb, text, boolean, boolean, boolean, text) is
  'Takes units of lines [{"product_id", "quantity", "restock"}] off an order, each once, and with p_shipping its shipping: before it is paid it costs less, after that the money goes back as it came. For staff and the service role.';
