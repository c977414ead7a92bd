create function public.add_shop(p_handle text)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'shop_id', interlock.add_shop(p_handle))
$$;

comment on function public.add_shop(text) is
  'Opens another shop, empty, with the settings that Interlock is installed with; answers its id. For the service role, where one installation serves many shops.';
