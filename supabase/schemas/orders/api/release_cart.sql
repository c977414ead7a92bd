create function public.release_cart()
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.release_cart();
end
$$;

comment on function public.release_cart() is
  'Gives back what the calling user has reserved with reserve_cart.';
