create function public.list_wallet_movements(p_user_id uuid, p_before bigint default null, p_limit int default 50)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.list_wallet_movements(p_user_id, p_before, p_limit);
end
$$;

comment on function public.list_wallet_movements(uuid, bigint, int) is
  'A user''s wallet and its movements, the latest first: amount, reason, reference, who did it. For staff and the service role.';
