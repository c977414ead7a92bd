-- What public.claim_deliveries does, with its owner's rights: makes deliveries of what is new, and leases up to p_limit that are due to
-- the caller for a minute, each with all that has to be sent. Nobody is signed in; the worker's secret gives it its right.
-- What is not recorded within the minute is claimed again: so a receiver may get an event twice, and none is lost.
--
-- An endpoint has at most five under way, one while it fails, and every endpoint has its turn before one has its second: a
-- slow one holds up no other. Where it asks for order, a subject has one under way, and never one before which another is pending. The
-- endpoints are locked so that two who claim at once do not count past each other, and waited for: who answers that there is
-- nothing has seen what those before it have made.
-- The secrets stay here: what is answered is signed. Where a URL leads the function finds out, and sends nothing to an address that is not
-- public (`public`). For a mail, or a call of a CRM, the function adds the key (`outlet`), which is not here.
--
-- A session that has planned while the queue was empty would read all of it for each delivery when it no longer is: so nothing is read but by
-- index (enable_seqscan), and what costs more than anything by that is not compiled for it (jit).
--
-- Callers: anon, authenticated and service_role, through public.claim_deliveries, of the function deliver.
-- Locks: as interlock.make_deliveries; the endpoints that are active, by id; deliveries of theirs, accounts that mails are written to, skip
--   locked.
-- Errors: DELIVER_SECRET_INVALID; 55P03 is transient.
-- Security definer: nobody has the right to read or write deliveries and secrets.
create function interlock.claim_deliveries(p_secret text, p_limit int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
set enable_seqscan = off
set jit = off
as $$
declare
  v_now constant timestamptz := interlock.clock();
  v_timestamp constant bigint := extract(epoch from clock_timestamp());
  v_limit constant int := least(greatest(coalesce(p_limit, 20), 1), 50);
  v_endpoints uuid[];
  v_due bigint[];
  v_ids bigint[];
  v_calls jsonb;
  v_deliveries jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if not exists (
    select from interlock.deliver_secrets s where s.hash = sha256(convert_to(p_secret, 'UTF8'))
  ) then
    perform interlock.raise_error('DELIVER_SECRET_INVALID');
  end if;

  perform interlock.make_deliveries(1000);

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select array_agg(e.id) into v_endpoints
  from (
    select w.id
    from interlock.webhook_endpoints w
    cross join interlock.settings s
    where w.active
      and (w.channel <> 'webhook' or interlock.is_webhook_url(w.url, s.webhooks_anywhere))
    order by w.id
    for no key update of w
  ) e;

  -- A statement of its own: it sees what whoever had an endpoint before has done.
  select array_agg(d.id order by d.turn, d.next_attempt_at, d.id)
  into v_due
  from (
    select
      d.id, d.next_attempt_at,
      row_number() over (partition by w.id order by d.next_attempt_at, d.id) as turn
    from interlock.webhook_endpoints w
    cross join lateral (
      select q.id, q.next_attempt_at
      from interlock.deliveries q
      where q.endpoint_id = w.id
        and q.state = 'pending'
        and q.next_attempt_at <= v_now
        and (q.lease is null or q.lease_until <= v_now)
        -- In two: neither reads what else waits of the subject.
        and not (w.ordered and exists (
          select
          from interlock.deliveries b
          where b.endpoint_id = q.endpoint_id
            and b.subject = q.subject
            and b.state = 'pending'
            and b.id < q.id
        ))
        and not (w.ordered and exists (
          select
          from interlock.deliveries l
          where l.endpoint_id = q.endpoint_id
            and l.subject = q.subject
            and l.lease is not null
            and l.lease_until > v_now
        ))
      order by q.next_attempt_at, q.id
      limit greatest(0, case when w.failing_since is null then 5 else 1 end - (
        select count(*) from interlock.deliveries l where l.endpoint_id = w.id and l.lease is not null and l.lease_until > v_now
      ))
      for no key update of q skip locked
    ) d
    where w.id = any (v_endpoints)
  ) d;

  -- By their ids: of how many a limit leaves Postgres knows nothing, and would read all deliveries that there are to find these.
  select array_agg(s.id)
  into v_ids
  from (
    -- What is answered must fit into what the function reads, and one always does.
    select d.id, sum(b.bytes) over w - b.bytes as bytes_before
    from unnest(v_due[:v_limit]) with ordinality as n (id, place)
    join interlock.deliveries d on d.id = n.id
    cross join interlock.find_event(d.transaction, d.position) e
    join interlock.webhook_endpoints t on t.id = d.endpoint_id
    left join interlock.mails m on m.delivery_id = d.id
    cross join lateral (select case t.channel
      when 'email' then coalesce(octet_length(m.body), 20000) else octet_length(e.payload::text)
    end as bytes) b
    window w as (order by n.place rows unbounded preceding)
  ) s
  where s.bytes_before < 300000;

  update interlock.deliveries d
  set lease = gen_random_uuid(),
      lease_until = v_now + interval '1 minute'
  where d.id = any (v_ids);

  perform interlock.write_mails(v_ids);
  v_calls := interlock.crm_calls(v_ids);

  select jsonb_agg(
    jsonb_build_object('id', m.id, 'lease', m.lease)
    || case m.channel
      when 'email' then jsonb_build_object(
        'outlet', 'RESEND', 'url', '/emails', 'body', m.body,
        'headers', jsonb_build_object('idempotency-key', concat_ws('.', m.event_id, m.endpoint_id))
      )
      when 'alpine_iq' then v_calls -> m.id::text
      when 'crm' then v_calls -> m.id::text
      else jsonb_build_object('url', m.url, 'public', m.public, 'body', m.body, 'headers', jsonb_build_object(
        'webhook-id', m.event_id,
        'webhook-timestamp', v_timestamp::text,
        'webhook-signature', interlock.sign_webhook(m.endpoint_id, m.event_id::text, v_timestamp, m.body)
      ))
    end
    order by m.id
  )
  into v_deliveries
  from (
    select
      d.id, d.lease, e.id as event_id, d.endpoint_id, w.channel, w.url, not s.webhooks_anywhere as public,
      case w.channel
        when 'email' then (select t.body from interlock.mails t where t.delivery_id = d.id)
        else jsonb_build_object(
          'id', e.id, 'type', e.type, 'timestamp', e.created_at, 'position', d.position, 'subject', e.subject, 'data', e.payload
        )::text
      end as body
    from interlock.deliveries d
    cross join interlock.find_event(d.transaction, d.position) e
    join interlock.webhook_endpoints w on w.id = d.endpoint_id
    cross join interlock.settings s
    where d.id = any (v_ids)
      and d.lease is not null
  ) m;

  return jsonb_build_object('success', true, 'deliveries', coalesce(v_deliveries, '[]'));
end
$$;
