create function public.set_mail_template(
  p_kind text, p_language text, p_subject text default null, p_body text default null, p_html text default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_mail_template(p_kind, p_language, p_subject, p_body, p_html)
$$;

comment on function public.set_mail_template(text, text, text, text, text) is
  'For staff and the service role: the shop''s own words for a mail in a language; without subject and body the usual ones count again.';
