create function public.claim_deliveries(p_secret text, p_limit int default 20)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.claim_deliveries(p_secret, p_limit)
$$;

comment on function public.claim_deliveries(text, int) is
  'Leases deliveries that are due to a worker that knows the secret, with all that has to be sent. Called by the function deliver.';
