create function public.move_orders(p_from_user_id uuid, p_to_user_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.move_orders(p_from_user_id, p_to_user_id);
end
$$;

comment on function public.move_orders(uuid, uuid) is
  'Moves the orders, money and uses of promo codes of a guest to an account. For staff and the service role.';
