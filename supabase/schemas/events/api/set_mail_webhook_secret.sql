create function public.set_mail_webhook_secret(p_secret text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.set_mail_webhook_secret(p_secret);
end
$$;

comment on function public.set_mail_webhook_secret(text) is
  'For the service role only: the secret by which Resend signs what it tells of mails. The one before it counts until the next.';
