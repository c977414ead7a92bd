create function public.top_up_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reference text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.top_up_wallet(p_user_id, p_amount, p_currency, p_reference);
end
$$;

comment on function public.top_up_wallet(uuid, bigint, text, text) is
  'Adds money to a user''s wallet; once for each p_reference. For the service role.';
