-- What interlock.is_claimable says, written for two partial indexes: candidates of both kinds on the same footing.
-- Sorted by (priority desc, created_at, id) with a limit, Postgres merges the head of batches_next_available with the
-- leases that are over (at most one for each driver), however large the table is.
create view interlock.claimable_batches
with (security_invoker = true)
as
  -- Without an order of its own in each arm the planner sorts the whole queue instead.
  (
    select a.id, a.priority, a.created_at
    from interlock.batches a
    where a.status = 'available'
    order by a.priority desc, a.created_at, a.id
  )
  union all
  (
    select e.id, e.priority, e.created_at
    from interlock.batches e
    where e.status in ('claimed', 'in_progress')
      and e.lease_expires_at <= interlock.clock()
    order by e.priority desc, e.created_at, e.id
  );

comment on view interlock.claimable_batches is
  'Batches that may be claimed. Order by priority desc, created_at, id to get the queue.';
