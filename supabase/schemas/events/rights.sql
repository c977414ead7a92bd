-- Who may call what of events. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.allow_email(text),
  public.claim_deliveries(text, int),
  public.create_webhook_endpoint(text, text, text[], boolean),
  public.delete_webhook_endpoint(uuid),
  public.list_deliveries(uuid, text, bigint, int),
  public.list_webhook_endpoints(),
  public.mail_webhook(text, text),
  public.preview_mail(uuid, text, text),
  public.record_delivery(bigint, uuid, int, text, int, int, text),
  public.retry_delivery(bigint, uuid, timestamptz, timestamptz),
  public.roll_webhook_secret(uuid, int),
  public.send_test_event(uuid),
  public.set_deliver_secret(text),
  public.set_crm_mappings(jsonb, boolean),
  public.set_crm_settings(text, boolean),
  public.set_mail_settings(text, text, text, text[], text, interval, boolean),
  public.set_mail_template(text, text, text, text, text),
  public.set_mail_webhook_secret(text),
  public.suppress_email(text, text),
  public.update_webhook_endpoint(uuid, text, text, text[], boolean, boolean)
from public, anon, authenticated, service_role;

grant execute on function
  -- Staff by token; anybody else is refused.
  public.allow_email(text), interlock.allow_email,
  public.create_webhook_endpoint(text, text, text[], boolean), interlock.create_webhook_endpoint,
  public.delete_webhook_endpoint(uuid), interlock.delete_webhook_endpoint,
  public.list_deliveries(uuid, text, bigint, int), interlock.list_deliveries,
  public.list_webhook_endpoints(), interlock.list_webhook_endpoints,
  public.preview_mail(uuid, text, text), interlock.preview_mail,
  public.retry_delivery(bigint, uuid, timestamptz, timestamptz), interlock.retry_delivery,
  public.roll_webhook_secret(uuid, int), interlock.roll_webhook_secret,
  public.send_test_event(uuid), interlock.send_test_event,
  public.set_crm_mappings(jsonb, boolean), interlock.set_crm_mappings,
  public.set_crm_settings(text, boolean), interlock.set_crm_settings,
  public.set_mail_settings(text, text, text, text[], text, interval, boolean), interlock.set_mail_settings,
  public.set_mail_template(text, text, text, text, text), interlock.set_mail_template,
  public.suppress_email(text, text), interlock.suppress_email,
  public.update_webhook_endpoint(uuid, text, text, text[], boolean, boolean), interlock.update_webhook_endpoint
to authenticated, service_role;

grant execute on function
  public.set_deliver_secret(text), interlock.set_deliver_secret,
  public.set_mail_webhook_secret(text), interlock.set_mail_webhook_secret
to service_role;

-- The worker has a secret, and for what it has claimed a lease; nobody else has a right here.
grant execute on function
  public.claim_deliveries(text, int), interlock.claim_deliveries,
  public.record_delivery(bigint, uuid, int, text, int, int, text), interlock.record_delivery
to anon, authenticated, service_role;

-- The signature is what gives it its right.
grant execute on function
  public.mail_webhook(text, text), interlock.mail_webhook
to anon, authenticated, service_role;

-- The view of what has happened runs with its reader's rights.
grant execute on function interlock.event_id to service_role;

-- The policy on what is broadcast asks.
grant execute on function interlock.may_hear to anon, authenticated;
