create function public.shop_health(p_books boolean default false)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.shop_health(p_books)
$$;

comment on function public.shop_health(boolean) is
  'How the shop is, by part, with what has to be looked at first; with p_books all books are compared as well. For staff and the service role.';
