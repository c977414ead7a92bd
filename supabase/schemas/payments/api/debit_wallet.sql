create function public.debit_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reference text,
  p_reason text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.debit_wallet(p_user_id, p_amount, p_currency, p_reference, p_reason);
end
$$;

comment on function public.debit_wallet(uuid, bigint, text, text, text) is
  'Takes money out of a user''s wallet, never more than there is; once for each p_reference. For staff and the service role.';
