create function public.set_payment_secret(p_provider text, p_secret text)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_payment_secret(p_provider, p_secret)
$$;

comment on function public.set_payment_secret(text, text) is
  'For the service role only: the secret by which the provider (stripe) signs its events. The one before it counts until the next.';
