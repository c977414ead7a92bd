-- What a worker claims is found by index, however long the histories are and however much one transaction has told.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(12);

update interlock.settings set webhooks_anywhere = true;
delete from interlock.webhook_endpoints;
select public.set_deliver_secret('a-worker-who-reads-little-and-says-so');
insert into interlock.webhook_endpoints (id, url) values ('84000000-0000-4000-8000-000000000001', 'http://127.0.0.1:9/');

-- A long history of orders, and one statement of the shop's that told much.
insert into interlock.orders (id, status, currency, subtotal, total, payment_method, fulfillment)
values ('84000000-0000-4000-8000-000000000002', 'confirmed', 'USD', 100, 100, 'cash_on_delivery', 'unfulfilled');
insert into interlock.order_events (order_id, event)
select '84000000-0000-4000-8000-000000000002', 'corrected' from generate_series(1, 3000);
insert into interlock.packing_scans (picking_session_id, action)
select '84000000-0000-4000-8000-000000000003', 'complete' from generate_series(1, 3000);
do $$
begin
  perform interlock.note_event('tap.much', n::text, '{}') from generate_series(1, 3000) n;
end
$$;
analyze interlock.orders, interlock.order_events, interlock.packing_scans, interlock.outbox;
insert into interlock.deliveries (position, transaction, endpoint_id, subject)
select b.position, b.transaction, '84000000-0000-4000-8000-000000000001', b.subject
from interlock.outbox b
where b.type = 'tap.much'
order by b.position desc
limit 5;
-- All of it was seen.
update interlock.delivery_cursor
set seen = format('%s:%1$s:', pg_current_xact_id()::text::bigint + 1)::pg_snapshot, target = null, position = 0;

create function pg_temp.read()
returns table (relation text, tuples bigint)
language sql
as $$
  select t.relname::text, t.seq_tup_read + coalesce(t.idx_tup_fetch, 0) from pg_stat_xact_user_tables t where t.schemaname = 'interlock'
$$;
create temporary table read_before as select * from pg_temp.read();
create temporary table answers as
select public.claim_deliveries('a-worker-who-reads-little-and-says-so', 20) as answer
union all
select interlock.list_deliveries(null, null, null, 5);
select is(
  (select jsonb_agg(jsonb_array_length(answer -> 'deliveries')) from answers), '[5, 5]'::jsonb, 'all deliveries were claimed, and listed'
);
select is(
  (
    select jsonb_agg(d -> 'event_type') from answers, jsonb_array_elements(answer -> 'deliveries') d where d ? 'event_type'
  ),
  '["tap.much", "tap.much", "tap.much", "tap.much", "tap.much"]', 'each with its event'
);
select cmp_ok(n.tuples - b.tuples, '<', 500::bigint, format('%s is not read whole', b.relation))
from read_before b
join pg_temp.read() n using (relation)
where b.relation in ('order_events', 'packing_scans', 'outbox', 'orders')
order by b.relation;

-- An ordered endpoint that has much of one subject: the first is found without reading what waits behind it.
delete from interlock.deliveries;
update interlock.webhook_endpoints set ordered = true;
insert into interlock.deliveries (position, transaction, endpoint_id, subject)
select b.position, b.transaction, '84000000-0000-4000-8000-000000000001', 'one'
from interlock.outbox b
where b.type = 'tap.much'
order by b.position;
analyze interlock.deliveries;
drop table read_before;
create temporary table read_before as select * from pg_temp.read();
create temporary table ordered_answer as select public.claim_deliveries('a-worker-who-reads-little-and-says-so', 20) as answer;
select is((select jsonb_array_length(answer -> 'deliveries') from ordered_answer), 1, 'of one subject one is sent');
-- Two for each of those that wait behind it: it is due, and the first one is before it.
select cmp_ok(n.tuples - b.tuples, '<', 6500::bigint, 'and nothing is read once more')
from read_before b
join pg_temp.read() n using (relation)
where b.relation = 'deliveries';

-- Whether something is due: of many endpoints and what they have, and have had, the first ones are read.
update interlock.webhook_endpoints set ordered = false;
update interlock.deliveries d
set next_attempt_at = now() - interval '2 minutes', lease = null, lease_until = null,
    state = case when d.id % 2 = 0 then 'pending' else 'delivered' end, ended_at = case when d.id % 2 = 1 then now() end;
insert into interlock.webhook_endpoints (url) select format('http://127.0.0.1:9/%s', n) from generate_series(1, 200) n;
insert into interlock.deliveries (position, transaction, endpoint_id, subject, state, ended_at, next_attempt_at)
select b.position, b.transaction, w.id, 'one', 'delivered', now(), now()
from (select o.position, o.transaction from interlock.outbox o where o.type = 'tap.much' order by o.position limit 30) b
cross join interlock.webhook_endpoints w
where w.id <> '84000000-0000-4000-8000-000000000001';
analyze interlock.deliveries;
drop table read_before;
create temporary table read_before as select * from pg_temp.read();
create temporary table due as select d.since, d.again from interlock.deliveries_due() d;
select is((d.since, d.again)::text, format('("%s",t)', now() - interval '2 minutes'), 'of what has waited for long, and gets through, a worker could take some') from due d;
select cmp_ok(n.tuples - b.tuples, '<', 20::bigint, 'of which the first is read, and the first to have come to its end')
from read_before b
join pg_temp.read() n using (relation)
where b.relation = 'deliveries';

-- What is old goes by index, too, whosever it is.
update interlock.settings set keep_deliveries = interval '1 day';
update interlock.deliveries d set ended_at = now() - interval '2 days' where d.id in (select q.id from interlock.deliveries q where q.state = 'delivered' order by q.id desc limit 50);
drop table read_before;
create temporary table read_before as select * from pg_temp.read();
select is(interlock.purge_history(20) ->> 'deliveries', '20', 'so many of them');
select cmp_ok(n.tuples - b.tuples, '<', 200::bigint, 'without reading the others')
from read_before b
join pg_temp.read() n using (relation)
where b.relation = 'deliveries';

select * from finish();
rollback;
