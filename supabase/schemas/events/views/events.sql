-- What has happened, to be told outside: one row for each event, written in the transaction that made it happen, so there is no event
-- without its effect and no effect without its event. It is the histories that there are, and for the rest interlock.outbox: nothing is written twice.
create view interlock.events
with (security_invoker = true)
as
select
  interlock.event_id(b.created_at, b.position) as id,
  b.type::text as type,
  b.subject::text as subject,
  b.payload,
  b.created_at,
  b.position,
  b.transaction
from interlock.outbox b
union all
select
  interlock.event_id(e.created_at, e.id),
  'order.' || e.event,
  e.order_id::text,
  jsonb_build_object(
    'order_id', e.order_id,
    'is_new', e.created_at = o.created_at,
    'status', o.status,
    'fulfillment', o.fulfillment,
    'tracking', e.tracking,
    'total', o.total,
    'refunded', o.refunded,
    'currency', o.currency
  ),
  e.created_at,
  e.id,
  e.transaction
from interlock.order_events e
left join interlock.orders o on o.id = e.order_id
union all
select
  interlock.event_id(e.created_at, e.id),
  'batch.' || e.event,
  e.batch_id::text,
  jsonb_build_object('batch_id', e.batch_id, 'driver_id', e.driver_id, 'version', e.version, 'reason', e.reason),
  e.created_at,
  e.id,
  e.transaction
from interlock.batch_events e
union all
select
  interlock.event_id(s.created_at, s.id),
  'packing.progress',
  s.picking_session_id::text,
  jsonb_build_object(
    'session_id', s.picking_session_id,
    'order_id', s.order_id,
    'product_id', s.product_id,
    'change', case when s.action = 'short' then 0 else s.quantity end,
    'quantity_packed', s.quantity_packed,
    'quantity_needed', s.quantity_needed,
    'quantity_short', s.quantity_short,
    'version', s.version
  ),
  s.created_at,
  s.id,
  s.transaction
from interlock.packing_scans s
where s.version is not null;

comment on view interlock.events is
  'What has happened, to be told outside. Append-only; read by the service role.';
comment on column interlock.events.id is
  'Ordered by time; a receiver knows a repetition by it.';
comment on column interlock.events.type is
  'What has happened: order.paid, sale.completed, audit.finding and so on (docs/event-types.md has them all).';
comment on column interlock.events.subject is
  'What it happened to: the id of the order, the sale, the customer, the product.';
comment on column interlock.events.payload is
  'What there is to say of it, without secrets.';
comment on column interlock.events.position is
  'The order in which events were written; those of one subject happened in this order.';
comment on column interlock.events.transaction is
  'The transaction that wrote it.';

grant select on interlock.events to service_role;
