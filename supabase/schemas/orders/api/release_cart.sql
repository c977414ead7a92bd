create function public.release_cart()
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.release_cart()
$$;

comment on function public.release_cart() is
  'Gives back what the calling user has reserved with reserve_cart.';
