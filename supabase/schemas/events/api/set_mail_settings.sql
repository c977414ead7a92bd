create function public.set_mail_settings(
  p_sender text default null,
  p_reply_to text default null,
  p_language text default null,
  p_kinds text[] default null,
  p_order_url text default null,
  p_remind_before interval default null,
  p_active boolean default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_mail_settings(p_sender, p_reply_to, p_language, p_kinds, p_order_url, p_remind_before, p_active)
$$;

comment on function public.set_mail_settings(text, text, text, text[], text, interval, boolean) is
  'For staff and the service role: has mails written to customers, by Resend, and changes how; what is left out stays. Answers the settings.';
