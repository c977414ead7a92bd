create function public.reopen_order(p_order_id uuid, p_paid boolean default false)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.reopen_order(p_order_id, p_paid);
end
$$;

comment on function public.reopen_order(uuid, boolean) is
  'Gives an expired order its stock, codes and promo use again, or says what is missing; with p_paid it is paid at once. For staff and the service role.';
