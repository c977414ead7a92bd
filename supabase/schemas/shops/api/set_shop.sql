create function public.set_shop(
  p_shop_id int, p_state text default null, p_requests_at_once int default null, p_handle text default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_shop(p_shop_id, p_state, p_requests_at_once, p_handle)
$$;

comment on function public.set_shop(int, text, int, text) is
  'Changes what is given of a shop: open or closed, how many requests of it may be under way at a time (0: as many as come), its handle. For the service role, where one installation serves many shops.';
