-- What `npm run doctor` asks of a shop's rows, beside what `npm run verify` does, where there are many shops of those of each: one row for each
-- finding, by part, a problem or a warning, with what to do. Reads only.
with advice (queue, part, subject, todo) as (
  values
    ('orders', 'jobs', 'orders that nobody has paid are not ended', 'select public.cancel_order(''%s'') says why; if no job runs: npm run jobs'),
    ('promo_holds', 'jobs', 'holds of promo codes are not ended', 'npm run jobs; the database''s log says why (the oldest is of the code %s)'),
    ('cart_reservations', 'jobs', 'reservations of carts are not ended', 'npm run jobs; the database''s log says why (the oldest is of the customer %s)'),
    ('parked_sales', 'jobs', 'parked sales are not ended', 'npm run jobs; the database''s log says why (the oldest is %s)'),
    ('points', 'jobs', 'points of orders are not booked', 'npm run jobs; the database''s log says why (the oldest is of the order %s)'),
    ('events', 'deliveries', 'events are not told', 'nothing calls the function deliver, it fails, or more happens than it sends: npm run deliver (docs/events.md; the first is at position %s)'),
    ('deliveries', 'deliveries', 'deliveries to endpoints are overdue', 'nothing calls the function deliver, it fails, or more happens than it sends: npm run deliver (docs/events.md; the oldest is %s)'),
    ('dead_deliveries', 'deliveries', 'deliveries are dead: their endpoint never accepted them', 'select public.list_deliveries(p_state => ''dead'') has what was answered; mend the receiver, then select public.retry_delivery(%s)'),
    ('payment_proofs', 'payments', 'proofs of a bank transfer wait for somebody to look at them for 5 days', 'look at the account: select public.accept_payment(''%1$s''), or public.reject_payment(''%1$s'', REASON)'),
    ('refunds', 'payments', 'payments have to go back for a day', 'refund them at the provider (docs/payments.md; the oldest is %s)'),
    ('flagged_payments', 'payments', 'money came in that pays no order', 'somebody has to decide what it is for (docs/payments.md; the oldest is %s)'),
    ('lapsed_leases', 'delivery', 'batches are held by drivers whose lease is over for an hour', 'whoever claims one next takes it over; ask its driver, or select public.assign_batch (the oldest is %s)')
),

findings (part, level, subject, todo) as (
  select
    a.part, case q.queue when 'lapsed_leases' then 'warning' else 'problem' end,
    format('%s %s, the oldest since %s', q.overdue, a.subject, to_char(q.since at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')),
    format(a.todo, q.first)
  from interlock.queues q
  join advice a on a.queue = q.queue
  where q.overdue > 0

  union all
  select
    'secrets', 'problem', 'there are endpoints, and no secret of the function deliver',
    'select public.set_deliver_secret(SECRET), and npx supabase secrets set DELIVER_SECRET=… (docs/events.md)'
  where exists (select from interlock.webhook_endpoints w where w.active)
    and not exists (select from interlock.deliver_secrets)

  union all
  select
    'secrets', 'problem', 'cards are accepted, and no signing secret of Stripe is set', 'select public.set_payment_secret(''stripe'', ''whsec_…'') (docs/payments.md)'
  from interlock.settings s
  where 'card' = any (s.payment_methods)
    and not exists (select from interlock.payment_secrets)

  union all
  select
    'deliveries', 'problem', format('the endpoint %s was switched off at %s', w.url, to_char(w.disabled_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')),
    format('mend the receiver, then select public.update_webhook_endpoint(''%s'', p_active => true)', w.id)
  from interlock.webhook_endpoints w
  where w.disabled_at is not null

  union all
  select
    'deliveries', 'warning', format('the endpoint %s has accepted nothing since %s', w.url, to_char(w.failing_since at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')),
    format('select public.list_deliveries(''%s'') has what it answers; it is switched off when that goes on', w.id)
  from interlock.webhook_endpoints w
  where w.active and w.failing_since < now() - interval '1 hour'

  union all
  select
    'deliveries', 'warning', 'webhooks may be sent to any address, also of the own network and without TLS',
    'that is for development: update interlock.settings set webhooks_anywhere = false'
  from interlock.settings s
  where s.webhooks_anywhere

  union all
  select
    'books', 'warning', coalesce('the latest audit was ' || to_char(max(a.started_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), 'the stock was never audited'),
    'npm run audit; with the jobs running it happens every day'
  from interlock.inventory_audits a
  having coalesce(max(a.started_at) < now() - interval '2 days', exists (select from interlock.stock_movements))
)

select part, level, subject, todo
from findings
order by part, level, subject;
