create function public.close_ledgers(p_limit int default 1000)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'closed', interlock.close_ledgers(p_limit))
$$;

comment on function public.close_ledgers(int) is
  'Adds up to p_limit old movements of stock and wallets to their closed balances. For the service role.';
