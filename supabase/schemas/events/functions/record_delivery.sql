-- What public.record_delivery does, with its owner's rights: what came of an attempt, told by whoever has its lease. 2xx is accepted;
-- after anything else it is tried again later, or is dead after the last attempt. 410 Gone switches the endpoint off at once, and so does a
-- failure when nothing has been accepted for five days; an event webhook.disabled tells it to the others. What an API refuses for good
-- (interlock.is_refused) is dead at once, and so is a mail that would be tried when its idempotency key is forgotten.
--
-- Callers: anon, authenticated and service_role, through public.record_delivery, of the function deliver: the lease, which
--   only interlock.claim_deliveries tells, is its right.
-- Locks: the endpoint (shared), the delivery, the endpoint.
-- Errors: VALIDATION_FAILED; 55P03 is transient. A lease that is not there any more is no error: `recorded` is false.
-- Security definer: nobody has the right to write deliveries.
create function interlock.record_delivery(
  p_delivery_id bigint, p_lease uuid, p_status int, p_error text, p_duration_ms int, p_retry_after_s int, p_answer text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_now constant timestamptz := interlock.clock();
  v_delivery interlock.deliveries;
  v_endpoint interlock.webhook_endpoints;
  v_pause interval;
  v_state text;
  v_reason text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if num_nonnulls(p_status, p_error) <> 1
    or p_status not between 100 and 599
    or char_length(p_error) not between 1 and 200
    or p_delivery_id is null
    or p_lease is null
  then
    perform interlock.refuse_problems(interlock.problem(
      '', 'must have p_delivery_id, p_lease, and either p_status (100 to 599) or p_error (at most 200 characters)'
    ));
  end if;

  perform
  from interlock.webhook_endpoints w
  join interlock.deliveries d on d.endpoint_id = w.id
  where d.id = p_delivery_id
  for key share of w;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select d.* into v_delivery
  from interlock.deliveries d
  where d.id = p_delivery_id and d.lease = p_lease
  for no key update;
  if not found then
    return jsonb_build_object('success', true, 'recorded', false);
  end if;

  select w.* into v_endpoint from interlock.webhook_endpoints w where w.id = v_delivery.endpoint_id;
  insert into interlock.delivery_attempts (delivery_id, status, error, duration_ms, answer)
  values (
    p_delivery_id, p_status, p_error, greatest(p_duration_ms, 0),
    -- What is said of a mail goes with it.
    case when v_endpoint.channel <> 'email' or exists (select from interlock.mails m where m.delivery_id = p_delivery_id) then
      interlock.first_kilobyte(p_answer)
    end
  );

  -- What has never left may be tried whenever.
  update interlock.mails m
  set tried_at = null
  where m.delivery_id = p_delivery_id
    and (p_error = 'unsent' or p_error like '% is not set')
    and m.tried_at >= v_delivery.lease_until - interval '1 minute';

  v_pause := interlock.delivery_pause(v_delivery.attempts + 1, p_retry_after_s);
  v_state := case
    when p_status between 200 and 299 then 'delivered'
    when v_pause is null
      or case v_endpoint.channel when 'webhook' then p_status = 410 else interlock.is_refused(p_status, p_answer) end
      or exists (
        select from interlock.mails m
        where m.delivery_id = p_delivery_id and m.tried_at < v_now + v_pause - interval '23 hours'
      )
    then 'dead'
    else 'pending'
  end;
  update interlock.deliveries d
  set state = v_state,
      attempts = d.attempts + 1,
      next_attempt_at = case when v_state = 'pending' then v_now + v_pause else d.next_attempt_at end,
      lease = null,
      lease_until = null,
      ended_at = case when v_state <> 'pending' then v_now end
  where d.id = p_delivery_id;

  if v_state = 'delivered' then
    if v_endpoint.failing_since is not null then
      update interlock.webhook_endpoints w set failing_since = null where w.id = v_endpoint.id;
    end if;
  -- A mail that is refused says nothing of the others.
  elsif v_endpoint.active and (v_endpoint.channel = 'webhook' or v_state = 'pending' or v_pause is null) then
    v_reason := case
      when p_status = 410 and v_endpoint.channel = 'webhook' then 'gone'
      when v_endpoint.failing_since < v_now - interval '5 days' then 'failing'
    end;
    if v_reason is not null then
      update interlock.webhook_endpoints w
      set active = false, disabled_at = v_now, failing_since = coalesce(w.failing_since, v_now)
      where w.id = v_endpoint.id and w.active;
      if found then
        perform interlock.note_event('webhook.disabled', v_endpoint.id::text, jsonb_build_object(
          'endpoint_id', v_endpoint.id, 'reason', v_reason,
          'failing_since', coalesce(v_endpoint.failing_since, v_now)
        ));
      end if;
    elsif v_endpoint.failing_since is null then
      update interlock.webhook_endpoints w set failing_since = v_now where w.id = v_endpoint.id and w.failing_since is null;
    end if;
  end if;

  return jsonb_build_object('success', true, 'recorded', true, 'state', v_state);
end
$$;
