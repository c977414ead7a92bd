-- What public.roll_webhook_secret does, with its owner's rights: makes another secret for an endpoint and answers it. The
-- one before it signs, too, for as long as the receiver may need to take the new one up; one that is older ceases.
--
-- Callers: authenticated (staff) and service_role, through public.roll_webhook_secret.
-- Locks: the endpoint.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, WEBHOOK_ENDPOINT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody reads or writes secrets.
create function interlock.roll_webhook_secret(p_endpoint_id uuid, p_overlap_hours int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
  v_until timestamptz;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  if (p_overlap_hours between 0 and 168) is not true then
    perform interlock.refuse_problems(interlock.problem('/p_overlap_hours', 'must be an integer from 0 to 168'));
  end if;

  v_endpoint := interlock.lock_webhook_endpoint(p_endpoint_id);
  v_until := interlock.clock() + make_interval(hours => p_overlap_hours);
  delete from interlock.webhook_secrets s where s.endpoint_id = p_endpoint_id and s.valid_until is not null;
  update interlock.webhook_secrets s set valid_until = v_until where s.endpoint_id = p_endpoint_id;

  return jsonb_build_object(
    'success', true,
    'endpoint', interlock.webhook_endpoint_to_json(v_endpoint),
    'secret', interlock.add_webhook_secret(p_endpoint_id),
    'previous_valid_until', v_until
  );
end
$$;
