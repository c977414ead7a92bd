create function public.correct_order(
  p_order_id uuid,
  p_shipping_address jsonb default null,
  p_contact jsonb default null,
  p_metadata jsonb default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.correct_order(p_order_id, p_shipping_address, p_contact, p_metadata);
end
$$;

comment on function public.correct_order(uuid, jsonb, jsonb, jsonb) is
  'Replaces the address of an order until it is shipped, its contact until its end, its metadata for ever; what is left out stays. For staff and the service role.';
