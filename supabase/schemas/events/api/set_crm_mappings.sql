create function public.set_crm_mappings(p_mappings jsonb default null, p_active boolean default null)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_crm_mappings(p_mappings, p_active)
$$;

comment on function public.set_crm_mappings(jsonb, boolean) is
  'For staff and the service role: has any CRM told of events, each as {event_type, method?, path, body} with placeholders; what is left out stays.';
