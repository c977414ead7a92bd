-- What public.send_test_event does, with its owner's rights: an event webhook.test for this endpoint alone, whatever types
-- it wants. What comes of it, list_deliveries tells.
--
-- Callers: authenticated (staff) and service_role, through public.send_test_event.
-- Locks: the endpoint.
-- Errors: UNAUTHENTICATED, FORBIDDEN, WEBHOOK_ENDPOINT_NOT_FOUND, WEBHOOK_ENDPOINT_INACTIVE; 55P03 is transient.
-- Security definer: nobody has the right to write deliveries.
create function interlock.send_test_event(p_endpoint_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
  v_position bigint;
  v_delivery_id bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  v_endpoint := interlock.lock_webhook_endpoint(p_endpoint_id);
  if not v_endpoint.active then
    perform interlock.raise_error('WEBHOOK_ENDPOINT_INACTIVE', jsonb_build_object('endpoint_id', p_endpoint_id));
  end if;

  v_position := interlock.note_event(
    'webhook.test', p_endpoint_id::text, jsonb_build_object('endpoint_id', p_endpoint_id)
  );
  insert into interlock.deliveries (position, transaction, endpoint_id, subject)
  values (v_position, pg_current_xact_id(), p_endpoint_id, p_endpoint_id::text)
  returning id into v_delivery_id;
  return jsonb_build_object('success', true, 'delivery_id', v_delivery_id, 'event_id', interlock.event_id(now(), v_position));
end
$$;
