set local lock_timeout = '5s';

select interlock.conceal('events');
drop function
  public.claim_deliveries(text, int),
  public.create_webhook_endpoint(text, text, text[], boolean),
  public.delete_webhook_endpoint(uuid),
  public.list_deliveries(uuid, text, bigint, int),
  public.list_webhook_endpoints(),
  public.record_delivery(bigint, uuid, int, text, int, int, text),
  public.retry_delivery(bigint, uuid, timestamptz, timestamptz),
  public.roll_webhook_secret(uuid, int),
  public.send_test_event(uuid),
  public.set_deliver_secret(text),
  public.update_webhook_endpoint(uuid, text, text, text[], boolean, boolean);

do $$
begin
  if to_regclass('realtime.messages') is not null then
    drop policy if exists interlock_select_listeners on realtime.messages;
  end if;
end
$$;

drop view interlock.events;
drop function
  interlock.add_webhook_secret,
  interlock.broadcast,
  interlock.call_deliver,
  interlock.claim_deliveries,
  interlock.committed_snapshot,
  interlock.create_webhook_endpoint,
  interlock.delete_webhook_endpoint,
  interlock.delivery_pause,
  interlock.event_id,
  interlock.find_webhook_problems,
  interlock.first_kilobyte,
  interlock.has_deliveries_due,
  interlock.list_deliveries,
  interlock.list_webhook_endpoints,
  interlock.lock_webhook_endpoint,
  interlock.make_deliveries,
  interlock.may_hear,
  interlock.note_event,
  interlock.prepare_realtime,
  interlock.record_delivery,
  interlock.retry_delivery,
  interlock.roll_webhook_secret,
  interlock.send_test_event,
  interlock.set_deliver_secret,
  interlock.sign_webhook,
  interlock.update_webhook_endpoint,
  interlock.watch_events,
  interlock.webhook_endpoint_to_json;
drop table
  interlock.webhook_secrets,
  interlock.outbox,
  interlock.delivery_cursor,
  interlock.delivery_attempts,
  interlock.deliver_secrets,
  interlock.deliveries,
  interlock.webhook_endpoints;
drop domain
  interlock.delivery_state,
  interlock.webhook_secret,
  interlock.answer_text,
  interlock.webhook_url,
  interlock.event_types,
  interlock.http_status,
  interlock.event_type;
drop function
  interlock.is_webhook_url;
