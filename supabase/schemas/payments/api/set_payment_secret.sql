create function public.set_payment_secret(p_provider text, p_secret text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.set_payment_secret(p_provider, p_secret);
end
$$;

comment on function public.set_payment_secret(text, text) is
  'For the service role only: the secret by which the provider (stripe) signs its events. The one before it counts until the next.';
