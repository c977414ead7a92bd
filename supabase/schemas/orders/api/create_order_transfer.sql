create function public.create_order_transfer()
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.create_order_transfer();
end
$$;

comment on function public.create_order_transfer() is
  'A token by which the account that the calling guest signs in to takes over their orders, money and uses of promo codes.';
