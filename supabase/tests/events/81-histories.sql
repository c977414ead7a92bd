-- What the histories tell outside: each of their rows once, as an event, to whoever listens, in the order in which it happened.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(15);

update interlock.settings set webhooks_anywhere = true;
select set_config('request.jwt.claims', '{"role": "service_role"}', true);
create function pg_temp.by_shop(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  set local role service_role;
  execute p_sql into v_answer;
  reset role;
  return v_answer;
end
$$;
insert into auth.users (id, aud, role, email)
values ('81000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-81@example.com');
select pg_temp.by_shop($$select public.set_deliver_secret('tap-81-secret-of-the-worker-that-is-long')$$);
create temporary table endpoints (name text primary key, id uuid);
insert into endpoints
select t.name, (pg_temp.by_shop(format(
  'select public.create_webhook_endpoint(%L, %L, %L, true)', 'http://' || t.name || '.example', t.name, t.types
)) -> 'endpoint' ->> 'id')::uuid
from (values
  ('orders', array['order.paid', 'order.cancelled', 'order.pending_payment']), ('all', null), ('batches', array['batch.created', 'batch.deleted'])
) as t (name, types);

create function pg_temp.told(p_endpoint text)
returns text[]
language sql
as $$
  select coalesce(array_agg(e.type order by d.id), '{}')
  from interlock.deliveries d
  join endpoints w on w.id = d.endpoint_id
  join interlock.events e on e.transaction = d.transaction and e.position = d.position
  where w.name = p_endpoint
$$;

-- All that follows is of this transaction, which the cursor has not seen: as if it were committed.
update interlock.delivery_cursor set seen = interlock.committed_snapshot();
create function pg_temp.make()
returns int
language plpgsql
as $$
begin
  update interlock.delivery_cursor
  set target = (pg_snapshot_xmin(seen)::text || ':' || (pg_current_xact_id()::text::bigint + 1) || ':')::pg_snapshot;
  return interlock.make_deliveries(1000);
end
$$;

-- Orders ------------------------------------------------------------------------

insert into interlock.orders (id, user_id, currency, subtotal, discount, total, status, payment_method, paid_at, created_at)
values ('81000000-0000-4000-8000-000000000001', '81000000-0000-4000-8000-0000000000aa', 'EUR', 1000, 0, 1000, 'paid', 'wallet', now(), now());
select results_eq(
  $$select e.type, e.subject, e.payload from interlock.events e where e.subject = '81000000-0000-4000-8000-000000000001'$$,
  $$values ('order.paid', '81000000-0000-4000-8000-000000000001', jsonb_build_object(
    'order_id', '81000000-0000-4000-8000-000000000001', 'is_new', true, 'status', 'paid', 'fulfillment', 'unfulfilled', 'tracking', null,
    'total', 1000, 'refunded', 0, 'currency', 'EUR'
  ))$$,
  'a new order is an event'
);
update interlock.orders set fulfillment = 'shipped', shipped_at = now(), tracking = 'T1' where id = '81000000-0000-4000-8000-000000000001';
select results_eq(
  $$select e.type, e.payload ->> 'tracking' from interlock.events e where e.subject = '81000000-0000-4000-8000-000000000001' order by e.position$$,
  $$values ('order.paid', null), ('order.shipped', 'T1')$$,
  'and whatever becomes of it, in its order'
);

-- Batches -----------------------------------------------------------------------

insert into interlock.batches (id) values ('81000000-0000-4000-8000-0000000000b1');
delete from interlock.batches where id = '81000000-0000-4000-8000-0000000000b1';
select results_eq(
  $$select e.type, e.payload - 'version' from interlock.events e where e.subject = '81000000-0000-4000-8000-0000000000b1' order by e.position$$,
  $$values
    ('batch.created', '{"batch_id": "81000000-0000-4000-8000-0000000000b1", "driver_id": null, "reason": null}'::jsonb),
    ('batch.deleted', '{"batch_id": "81000000-0000-4000-8000-0000000000b1", "driver_id": null, "reason": null}')$$,
  'what becomes of a batch is events, and outlives it'
);

-- Scans -------------------------------------------------------------------------

insert into interlock.packing_scans (picking_session_id, order_id, product_id, action, quantity, quantity_packed, quantity_needed, quantity_short, version)
values
  ('81000000-0000-4000-8000-0000000000c1', '81000000-0000-4000-8000-000000000001', '81000000-0000-4000-8000-0000000000d1', 'pack', 2, 2, 5, 0, 1),
  ('81000000-0000-4000-8000-0000000000c1', '81000000-0000-4000-8000-000000000001', '81000000-0000-4000-8000-0000000000d1', 'short', 3, 2, 5, 3, 2);
insert into interlock.packing_scans (picking_session_id, product_id, action, quantity)
values ('81000000-0000-4000-8000-0000000000c1', '81000000-0000-4000-8000-0000000000d1', 'pick', 2);
select results_eq(
  $$select e.type, e.payload - '{session_id,order_id,product_id}'::text[] from interlock.events e
    where e.subject = '81000000-0000-4000-8000-0000000000c1' order by e.position$$,
  $$values
    ('packing.progress', '{"change": 2, "quantity_packed": 2, "quantity_needed": 5, "quantity_short": 0, "version": 1}'::jsonb),
    ('packing.progress', '{"change": 0, "quantity_packed": 2, "quantity_needed": 5, "quantity_short": 3, "version": 2}')$$,
  'what is done with a line is an event; what is picked is not'
);
select throws_ok(
  $$insert into interlock.packing_scans (picking_session_id, action, version) values (gen_random_uuid(), 'pack', 1)$$,
  '23514', null, 'a line is told with all of its numbers'
);

-- Money -------------------------------------------------------------------------

insert into interlock.payments (id, order_id, provider, provider_id, attempt, amount, currency, status, refund_asked, succeeded_at)
values ('81000000-0000-4000-8000-0000000000e1', '81000000-0000-4000-8000-000000000001', 'stripe', 'pi_tap81', 1, 1000, 'EUR', 'refund_due', 400, now());
insert into interlock.payments (id, provider, provider_id, attempt, amount, currency, status, flag, succeeded_at)
values ('81000000-0000-4000-8000-0000000000e2', 'stripe', 'pi_tap82', 1, 700, 'EUR', 'flagged', 'unknown_order', now());
update interlock.payments set refunded = 100 where id = '81000000-0000-4000-8000-0000000000e1';
update interlock.payments set refund_asked = 1000 where id = '81000000-0000-4000-8000-0000000000e1';
select results_eq(
  $$select e.type, e.payload from interlock.events e where e.type like 'payment.%' and e.created_at = now() order by e.position$$,
  $$values
    ('payment.refund_due', '{"payment_id": "81000000-0000-4000-8000-0000000000e1", "order_id": "81000000-0000-4000-8000-000000000001", "amount": 400, "currency": "EUR", "flag": null}'::jsonb),
    ('payment.flagged', '{"payment_id": "81000000-0000-4000-8000-0000000000e2", "order_id": null, "amount": 700, "currency": "EUR", "flag": "unknown_order"}'),
    ('payment.refund_due', '{"payment_id": "81000000-0000-4000-8000-0000000000e1", "order_id": "81000000-0000-4000-8000-000000000001", "amount": 900, "currency": "EUR", "flag": null}')$$,
  'money that has to go back, more of it, and money that pays no order are told; what has gone back is not'
);

-- Deliveries ----------------------------------------------------------------------

select is(pg_temp.make(), 9, 'all of it is looked at');
select is(pg_temp.told('orders'), '{order.paid}'::text[], 'one who wants some types gets these');
select is(pg_temp.told('batches'), '{batch.created,batch.deleted}'::text[], 'of batches, too');
select is(
  pg_temp.told('all'),
  '{order.paid,order.shipped,batch.created,batch.deleted,packing.progress,packing.progress,payment.refund_due,payment.flagged,payment.refund_due}'::text[],
  'one who wants all gets all of all histories, in the order in which it happened'
);
select results_eq(
  $$select (d ->> 'body')::jsonb -> 'type', (d ->> 'body')::jsonb -> 'subject', (d ->> 'body')::jsonb ->> 'id' = d #>> '{headers,webhook-id}'
    from jsonb_array_elements(pg_temp.by_shop($s$select public.claim_deliveries('tap-81-secret-of-the-worker-that-is-long', 50)$s$) -> 'deliveries') d
    where d ->> 'url' = 'http://batches.example'$$,
  $$values ('"batch.created"'::jsonb, '"81000000-0000-4000-8000-0000000000b1"'::jsonb, true)$$,
  'and it is sent, one after the other where the endpoint wants its order'
);

select is(
  pg_temp.by_shop($$select to_jsonb(e.id) from public.events e where e.subject = '81000000-0000-4000-8000-000000000001' and e.type = 'order.paid'$$),
  (select to_jsonb(e.id) from interlock.events e where e.subject = '81000000-0000-4000-8000-000000000001' and e.type = 'order.paid'),
  'the shop reads it over REST'
);

-- Retention -----------------------------------------------------------------------

select is(
  (select count(distinct e.id) from interlock.events e where e.created_at = now()), (select count(*) from interlock.events e where e.created_at = now()),
  'every event has an id of its own'
);
select ok(
  (select array_agg(e.id order by e.id) = array_agg(e.id order by e.position) from interlock.events e where e.created_at = now()),
  'which is ordered as they are'
);
select isnt(interlock.event_id(now(), 7), interlock.event_id(now() - interval '1 second', 7), 'a position that a restored copy gives again is another id');

select * from finish();
rollback;
