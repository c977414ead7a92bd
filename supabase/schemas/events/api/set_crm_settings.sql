create function public.set_crm_settings(p_account text default null, p_active boolean default null)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_crm_settings(p_account, p_active)
$$;

comment on function public.set_crm_settings(text, boolean) is
  'For staff and the service role: has Alpine IQ told of sales and customers, under the shop''s account there; what is left out stays.';
