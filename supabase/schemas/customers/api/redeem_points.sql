create function public.redeem_points(p_points bigint, p_currency text, p_idempotency_key text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.redeem_points(p_points, p_currency, p_idempotency_key);
end
$$;

comment on function public.redeem_points(bigint, text, text) is
  'Turns points of the signed-in customer into money of their wallet.';
