-- What waits to be dealt with, one row for each queue, and what of it has waited for too long. The one list: the jobs of
-- interlock.jobs, public.metrics and `npm run doctor` read it. Each queue is an index of what is open, and no history.
--
--   patience  for how long a thing that could be dealt with may be left
--   waiting   how many things there are; of events no more than 10,000 are counted
--   overdue   how many were left for longer
--   since     since when the oldest can be dealt with; of what is not due yet a time to come
--   first     the id of the oldest that is overdue
create view interlock.queues
with (security_invoker = true)
as
  select
    q.queue,
    q.patience,
    count(i.id) as waiting,
    count(i.id) filter (where i.since < (select interlock.clock()) - q.patience) as overdue,
    min(i.since) as since,
    (array_agg(i.id order by i.since) filter (where i.since < (select interlock.clock()) - q.patience))[1] as first
  from (values
    ('orders', interval '10 minutes'),
    ('promo_holds', '10 minutes'),
    ('cart_reservations', '10 minutes'),
    ('parked_sales', '10 minutes'),
    ('points', '10 minutes'),
    ('events', '10 minutes'),
    ('deliveries', '10 minutes'),
    ('dead_deliveries', '0'),
    ('payment_proofs', '5 days'),
    ('refunds', '1 day'),
    ('flagged_payments', '1 day'),
    ('lapsed_leases', '1 hour')
  ) as q (queue, patience)
  left join (
    select 'orders' as queue, o.id::text as id, o.payment_expires_at as since
    from interlock.orders o
    where o.status in ('pending_payment', 'confirmed')
      and o.payment_expires_at is not null
      and o.fulfillment = 'unfulfilled'
    union all
    select 'promo_holds', r.promo_id::text, r.held_until
    from interlock.promo_redemptions r
    where r.status = 'held'
    union all
    select 'cart_reservations', r.user_id::text, r.expires_at
    from interlock.cart_reservations r
    where r.expires_at is not null
    union all
    select 'parked_sales', p.id::text, p.expires_at
    from interlock.parked_sales p
    where p.ended_at is null
    union all
    select 'points', d.order_id::text, d.created_at
    from interlock.points_due d
    union all
    select 'events', e.event_position::text, e.created_at
    from interlock.new_events(10000) e
    union all
    select 'deliveries', d.id::text, d.next_attempt_at
    from interlock.deliveries d
    join interlock.webhook_endpoints w on w.id = d.endpoint_id and w.active
    where d.state = 'pending'
    union all
    select 'dead_deliveries', d.id::text, d.ended_at
    from interlock.deliveries d
    where d.state = 'dead'
    union all
    select 'payment_proofs', p.order_id::text, p.created_at
    from interlock.payment_proofs p
    where p.status = 'submitted'
    union all
    select 'refunds', p.id::text, p.succeeded_at
    from interlock.payments p
    where p.status = 'refund_due'
    union all
    select 'flagged_payments', p.id::text, p.succeeded_at
    from interlock.payments p
    where p.status = 'flagged'
    union all
    select 'lapsed_leases', b.id::text, b.lease_expires_at
    from interlock.batches b
    where b.status in ('claimed', 'in_progress')
      and b.lease_expires_at < interlock.clock()
  ) as i on i.queue = q.queue
  group by q.queue, q.patience;

comment on view interlock.queues is
  'What waits to be dealt with, by queue, and what of it has waited for too long.';
