create function public.set_deliver_secret(p_secret text)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_deliver_secret(p_secret)
$$;

comment on function public.set_deliver_secret(text) is
  'For the service role only: the secret by which the worker claims deliveries. The one before it counts until the next.';
