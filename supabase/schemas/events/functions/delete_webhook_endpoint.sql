-- What public.delete_webhook_endpoint does, with its owner's rights: removes an endpoint with its secrets, and with what was sent or was
-- still to be sent there.
--
-- Callers: authenticated (staff) and service_role, through public.delete_webhook_endpoint.
-- Locks: the endpoint against everybody, its deliveries.
-- Errors: UNAUTHENTICATED, FORBIDDEN, WEBHOOK_ENDPOINT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints.
create function interlock.delete_webhook_endpoint(p_endpoint_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  delete from interlock.webhook_endpoints w where w.id = p_endpoint_id and w.channel = 'webhook';
  if not found then
    perform interlock.raise_error('WEBHOOK_ENDPOINT_NOT_FOUND', jsonb_build_object('endpoint_id', p_endpoint_id));
  end if;
  return jsonb_build_object('success', true, 'endpoint_id', p_endpoint_id);
end
$$;
