create function public.payment_webhook(p_provider text, p_body text, p_signature text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.payment_webhook(p_provider, p_body, p_signature);
end
$$;

comment on function public.payment_webhook(text, text, text) is
  'A signed event of a payment provider, applied once: p_body as it came, p_signature its header. Called by the function payment-webhook.';
