create function public.redeem_order_transfer(p_token text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.redeem_order_transfer(p_token);
end
$$;

comment on function public.redeem_order_transfer(text) is
  'Moves the orders, money and uses of promo codes of the guest whose token it is to the calling account, once.';
