-- What public.payment_webhook does, with its owner's rights: an event of a payment provider, applied once. Nobody is
-- signed in; the signature of the raw body is what gives it its right, and is asked for before anything is read or
-- written. Events come twice, late and in any order: each counts once by its id, and none undoes what a later one said.
--
-- Everything that is really the provider's is answered with success, what this shop cannot use too: it would be sent
-- again for days. A passing failure (55P03) is not, and the event comes again.
--
-- Callers: anon, authenticated and service_role, through public.payment_webhook, of the function payment-webhook.
-- Locks: the event's id; the account of the buyer and the order; the order's payments; then as interlock.retake_order and
--   interlock.settle_orders. Two seconds at most.
-- Errors: VALIDATION_FAILED, WEBHOOK_SIGNATURE_INVALID with the reason; 55P03 is transient.
-- Security definer: nobody has the right to write payments and orders.
create function interlock.payment_webhook(p_provider text, p_body text, p_signature text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problem text;
  v_event jsonb;
  v_object jsonb;
  v_event_id text;
  v_type text;
  v_told_at timestamptz;
  v_payment_id text;
  v_outcome text;
  v_order_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_provider is distinct from 'stripe' then
    perform interlock.refuse_problems(interlock.problem('/provider', 'must be stripe'));
  end if;
  if p_body is null or octet_length(p_body) > 65536 then
    perform interlock.refuse_problems(interlock.problem('', 'must be an event of at most 64 KiB'));
  end if;
  v_problem := interlock.find_signature_problem(p_provider, p_body, p_signature);
  if v_problem is not null then
    perform interlock.raise_error('WEBHOOK_SIGNATURE_INVALID', jsonb_build_object('reason', v_problem));
  end if;

  v_event := interlock.read_event(p_body);
  if v_event is null then
    perform interlock.refuse_problems(interlock.problem('', 'must be an event: a JSON object with id, type, created and data.object'));
  end if;
  v_event_id := v_event ->> 'id';
  v_type := v_event ->> 'type';
  v_object := v_event #> '{data,object}';
  v_told_at := to_timestamp((v_event ->> 'created')::bigint);
  v_payment_id := v_object ->> case when starts_with(v_type, 'payment_intent.') then 'id' else 'payment_intent' end;
  if not interlock.is_provider_id(v_payment_id) then
    v_payment_id := null;
  end if;

  -- Once: a twin waits here for the first.
  insert into interlock.payment_events (provider, event_id, type, provider_payment_id, outcome)
  values (p_provider, v_event_id, v_type, v_payment_id, 'ignored')
  on conflict do nothing;
  if not found then
    return (
      select jsonb_build_object(
        'success', true, 'event_id', v_event_id, 'outcome', e.outcome, 'repeated', true
      )
      from interlock.payment_events e
      where (e.provider, e.event_id) = (p_provider, v_event_id)
    );
  end if;

  if v_payment_id is null then
    null;
  elsif starts_with(v_type, 'payment_intent.') then
    select a.* into v_outcome, v_order_id
    from interlock.apply_payment_event(p_provider, v_type, v_object, v_told_at) as a;
  elsif starts_with(v_type, 'refund.') or starts_with(v_type, 'charge.refund.') then
    select a.* into v_outcome, v_order_id
    from interlock.apply_refund_event(p_provider, v_object, v_told_at) as a;
  elsif starts_with(v_type, 'charge.dispute.') then
    select a.* into v_outcome, v_order_id
    from interlock.apply_dispute_event(p_provider, v_object) as a;
  end if;

  if v_outcome is not null then
    update interlock.payment_events e
    set outcome = v_outcome,
        order_id = v_order_id
    where (e.provider, e.event_id) = (p_provider, v_event_id);
  end if;

  return jsonb_build_object(
    'success', true, 'event_id', v_event_id, 'outcome', coalesce(v_outcome, 'ignored'), 'repeated', false
  );
end
$$;
