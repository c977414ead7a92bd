-- Since when something is to be delivered that a worker could take now; null if there is nothing. What another worker has, and what an earlier
-- delivery of its subject holds back where order is asked for, nobody can.
--
-- Callers: interlock.call_deliver.
-- Locks: none.
create function interlock.deliveries_due_since()
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return least(
    (
      select min(f.next_attempt_at)
      from interlock.webhook_endpoints w
      cross join lateral (
        select d.next_attempt_at
        from interlock.deliveries d
        where d.endpoint_id = w.id
          and d.state = 'pending'
          and d.next_attempt_at <= interlock.clock()
          and (d.lease is null or d.lease_until <= interlock.clock())
          and not (w.ordered and exists (
            select
            from interlock.deliveries b
            where b.endpoint_id = d.endpoint_id
              and b.subject = d.subject
              and b.state = 'pending'
              and b.id < d.id
          ))
        order by d.next_attempt_at, d.id
        limit 1
      ) f
      where w.active
    ),
    (select n.created_at from interlock.new_events(1) n)
  );
end
$$;
