-- What public.retry_delivery does, with its owner's rights: sends again what is named, beginning anew with its attempts: one
-- delivery by its id, in whatever state, or up to a thousand dead ones of an endpoint whose events came in a range of time (call
-- it until it answers 0).
--
-- Callers: authenticated (staff) and service_role, through public.retry_delivery.
-- Locks: the deliveries; of a range those that somebody is using are passed over.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, DELIVERY_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write deliveries.
create function interlock.retry_delivery(
  p_delivery_id bigint, p_endpoint_id uuid, p_from timestamptz, p_to timestamptz
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_ids bigint[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  if num_nonnulls(p_delivery_id, p_endpoint_id) <> 1 then
    perform interlock.refuse_problems(interlock.problem('', 'must have p_delivery_id, or p_endpoint_id'));
  end if;

  if p_delivery_id is not null then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    select array_agg(d.id) into v_ids
    from (select q.id from interlock.deliveries q where q.id = p_delivery_id for no key update) d;
    if v_ids is null then
      perform interlock.raise_error('DELIVERY_NOT_FOUND', jsonb_build_object('delivery_id', p_delivery_id));
    end if;
  else
    select array_agg(d.id) into v_ids
    from (
      select q.id
      from interlock.deliveries q
      where q.endpoint_id = p_endpoint_id
        and q.state = 'dead'
        and q.created_at >= coalesce(p_from, '-infinity')
        and q.created_at < coalesce(p_to, 'infinity')
      order by q.id
      limit 1000
      for no key update skip locked
    ) d;
  end if;

  update interlock.mails m set tried_at = null where m.delivery_id = any (v_ids);
  -- One that is being sent at this moment keeps its lease: it is not sent twice at a time.
  update interlock.deliveries d
  set state = 'pending', attempts = 0, next_attempt_at = interlock.clock(), ended_at = null
  where d.id = any (v_ids);
  return jsonb_build_object('success', true, 'retried', coalesce(cardinality(v_ids), 0));
end
$$;
