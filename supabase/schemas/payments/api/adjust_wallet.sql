create function public.adjust_wallet(
  p_user_id uuid,
  p_delta bigint,
  p_currency text,
  p_reason text,
  p_reference text
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.adjust_wallet(p_user_id, p_delta, p_currency, p_reason, p_reference);
end
$$;

comment on function public.adjust_wallet(uuid, bigint, text, text, text) is
  'Corrects a user''s wallet by p_delta, with a reason; never below nothing, once for each p_reference. For staff and the service role.';
