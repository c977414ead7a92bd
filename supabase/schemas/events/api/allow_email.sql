create function public.allow_email(
  p_email text
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.allow_email(p_email)
$$;

comment on function public.allow_email(text) is
  'For staff and the service role: mails are sent again to an address that was suppressed.';
