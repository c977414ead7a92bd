create function public.mail_webhook(p_body text, p_signature text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.mail_webhook(p_body, p_signature);
end
$$;

comment on function public.mail_webhook(text, text) is
  'What Resend tells of a mail, signed: p_body as it came, p_signature its headers svix-id, svix-timestamp and svix-signature with a blank between. Called by the function mail-webhook.';
