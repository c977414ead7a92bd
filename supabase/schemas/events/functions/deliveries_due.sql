-- What a worker could take now, by what interlock.claim_deliveries asks of endpoints and their deliveries: an endpoint to which nothing may be sent, or
-- that has all under way that it may have, is no reason to call, and neither is what an earlier delivery of its subject holds back where order is
-- asked for, or an event of which deliveries are made where nobody listens.
--
--   since   since when the one that has waited longest could be taken; null if there is none
--   again   whether it is worth a look in a second: of an endpoint where something waits, something could be taken or is under way, and it waits for
--           less than a minute, or something of this very endpoint has come to its end in the last one. Null if nothing waits
--
-- Callers: interlock.call_deliver.
-- Locks: none.
-- What is asked of an endpoint that has nothing due are looks into indexes: the rest is asked of the others, hence of `f`. What is leased is not
-- passed over in `c`: without order `f` comes first, and with it nothing of a subject goes of which something is leased. Read by index whatever Postgres expects (enable_seqscan), and not compiled (jit), as in interlock.new_events.
create function interlock.deliveries_due(out since timestamptz, out again boolean)
language plpgsql
stable
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  v_now constant timestamptz := interlock.clock();
  v_minute_ago constant timestamptz := v_now - interval '1 minute';
  v_event_at constant timestamptz := (select n.created_at from interlock.new_events(1) n);
begin
  select
    min(c.next_attempt_at) filter (where u.under_way < case when w.failing_since is null then 5 else 1 end),
    bool_or(f.next_attempt_at > v_minute_ago or exists (
      select from interlock.deliveries e where e.endpoint_id = w.id and e.ended_at > v_minute_ago
    )) filter (where c.next_attempt_at is not null or u.under_way > 0)
  into since, again
  from interlock.webhook_endpoints w
  cross join interlock.settings s
  cross join lateral (
    select d.next_attempt_at
    from interlock.deliveries d
    where d.endpoint_id = w.id
      and d.state = 'pending'
      and d.next_attempt_at <= v_now
      and (d.lease is null or d.lease_until <= v_now)
    order by d.next_attempt_at, d.id
    limit 1
  ) f
  cross join lateral (
    select count(*) as under_way
    from interlock.deliveries l
    where l.endpoint_id = w.id
      and l.lease is not null
      and l.lease_until > v_now
  ) u
  left join lateral (
    select q.next_attempt_at
    from interlock.deliveries q
    where q.endpoint_id = w.id
      and q.state = 'pending'
      and q.next_attempt_at between f.next_attempt_at and v_now
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
        from interlock.deliveries b
        where b.endpoint_id = q.endpoint_id
          and b.subject = q.subject
          and b.lease is not null
          and b.lease_until > v_now
      ))
    order by q.next_attempt_at, q.id
    limit 1
  ) c on true
  where w.active
    and case when f.next_attempt_at is not null then w.channel <> 'webhook' or interlock.is_webhook_url(w.url, s.webhooks_anywhere) end;
  if v_event_at is not null then
    since := least(since, v_event_at);
    -- Whoever gets through makes deliveries of it, of whichever endpoint.
    again := coalesce(again, false) or v_event_at > v_minute_ago or exists (
      select
      from interlock.webhook_endpoints w
      join interlock.deliveries e on e.endpoint_id = w.id
      where e.ended_at > v_minute_ago
    );
  end if;
end
$$;
