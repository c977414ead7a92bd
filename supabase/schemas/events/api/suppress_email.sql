create function public.suppress_email(
  p_email text, p_reason text default 'unwanted'
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.suppress_email(p_email, p_reason)
$$;

comment on function public.suppress_email(text, text) is
  'For staff and the service role: no mail is sent to an address any more; p_reason is bounced, complained or unwanted.';
