create function public.preview_mail(
  p_order_id uuid, p_kind text, p_language text default null
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.preview_mail(p_order_id, p_kind, p_language)
$$;

comment on function public.preview_mail(uuid, text, text) is
  'For staff and the service role: a mail about an order as it would be written now: to, subject, text, html.';
