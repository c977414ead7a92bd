-- How many deliveries are made, claimed and sent again at once, and what waits for what: limits of a call and of an endpoint, large
-- events, several of one transaction, an order that is kept when something is sent again. And what of an outcome is written down.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(50);

delete from interlock.webhook_endpoints;
update interlock.settings set webhooks_anywhere = true;
select interlock.set_deliver_secret(repeat('s', 40));
insert into interlock.webhook_endpoints (id, url, ordered, active, event_types)
select format('84000000-0000-4000-8000-0000000000%s', n)::uuid, format('http://w%s.example/', n), n = 10, true, array['tap.' || case when n = 10 then 'ordered' else 'one' end]
from generate_series(10, 20) n;

-- An event of a transaction, and its deliveries.
create function pg_temp.event(p_type text, p_subject text, p_payload jsonb default '{}', p_transaction int default 5) returns void language plpgsql as $$
begin
  insert into interlock.outbox (type, subject, payload, transaction) values (p_type, p_subject, p_payload, p_transaction::text::xid8);
  update interlock.delivery_cursor set seen = '3:3:', target = null, position = 0;
  perform interlock.make_deliveries(1000);
end
$$;
-- What a worker is given: subjects of events, in its order.
create function pg_temp.claim(p_limit int default 50) returns text[] language sql as $$
  select coalesce(array_agg((c.d ->> 'body')::jsonb ->> 'subject' order by c.n), '{}')
  from jsonb_array_elements(interlock.claim_deliveries(repeat('s', 40), p_limit) -> 'deliveries') with ordinality as c (d, n)
$$;
create function pg_temp.again(p_id bigint) returns int language plpgsql as $$
declare
  v_retried int;
begin
  perform set_config('role', 'service_role', true), set_config('request.jwt.claims', '{"role": "service_role"}', true);
  v_retried := public.retry_delivery(p_id) ->> 'retried';
  reset role;
  return v_retried;
end
$$;
create function pg_temp.back() returns void language sql as $$ update interlock.deliveries set lease = null, lease_until = null where lease is not null $$;
create function pg_temp.over() returns void language sql as $$
  update interlock.deliveries set state = 'delivered', lease = null, lease_until = null, ended_at = now() where state = 'pending'
$$;

-- Of a call -----------------------------------------------------------------------------------

select pg_temp.event('tap.one', s) from unnest('{a,b,c,d,e,f}'::text[]) s;
select is(cardinality(pg_temp.claim(null)), 20, 'who says nothing gets twenty');
select pg_temp.back();
select is(cardinality(pg_temp.claim(0)), 1, 'one is the least');
select pg_temp.back();
update interlock.webhook_endpoints set event_types = null;
select pg_temp.event('tap.one', s) from unnest('{g,h,i,j,k}'::text[]) s;
select is(cardinality(pg_temp.claim(1000)), 50, 'fifty are the most');
select is(cardinality(pg_temp.claim(1000)), 5, 'then what is left: five of each endpoint');
select is(cardinality(pg_temp.claim(1000)), 0, 'and no more, whatever is due');
select pg_temp.over();
update interlock.webhook_endpoints set active = id = '84000000-0000-4000-8000-000000000010';

-- What is large --------------------------------------------------------------------------------

select pg_temp.event('tap.one', s, jsonb_build_object('x', repeat('x', 149991))) from unnest('{l,m,n}'::text[]) s;
select is(pg_temp.claim(), '{l,m}', 'what is large comes a few at a time');
select is(pg_temp.claim(), '{n}', 'and then the rest');
select pg_temp.over();
select pg_temp.event('tap.one', s, jsonb_build_object('x', repeat('x', 400000))) from unnest('{o}'::text[]) s;
select is(pg_temp.claim(), '{o}', 'one comes, however large');
select pg_temp.over();

-- In their order ---------------------------------------------------------------------------------

select pg_temp.event('tap.one', s) from unnest('{p,q,r}'::text[]) s;
update interlock.deliveries d set next_attempt_at = d.next_attempt_at + case d.subject when 'p' then 0 else -1 end * interval '1 second' where d.state = 'pending';
select is(pg_temp.claim(2), '{q,r}', 'what is due longest comes first');
select pg_temp.back();
select is(pg_temp.claim(3), '{p,q,r}', 'events of one transaction count once each; a worker is given them in their order');
-- An endpoint that begins to fail while several are under way.
update interlock.webhook_endpoints set failing_since = now() where active;
select pg_temp.event('tap.one', 's');
select is(pg_temp.claim(), '{}', 'one that begins to fail while several are under way gets no more');
update interlock.deliveries d set lease_until = now() where d.lease is not null and d.subject <> 'q';
select is(pg_temp.claim(), '{}', 'until these have come back');
update interlock.deliveries d set lease_until = now() where d.lease is not null;
select is(pg_temp.claim(), '{q}', 'or their leases are over, which they are at the very end');
select pg_temp.over();
update interlock.webhook_endpoints set failing_since = null;

-- A subject has one under way, also when one from before is sent again.
select pg_temp.event('tap.ordered', 't', '{}', 6), pg_temp.event('tap.ordered', 't', '{}', 7);
create temporary table two as select row_number() over (order by d.id) as n, d.id from interlock.deliveries d where d.state = 'pending';
select is(cardinality(pg_temp.claim()), 1, 'of a subject one is under way');
update interlock.deliveries d set state = 'delivered', lease = null, lease_until = null, ended_at = now() where d.lease is not null;
select is(cardinality(pg_temp.claim()), 1, 'then the next one');
select is(pg_temp.again(t.id), 1, 'the first one is sent again') from two t where t.n = 1;
select is(cardinality(pg_temp.claim()), 0, 'but not while the second is under way');
select results_eq(
  'select t.n from two t join interlock.deliveries d using (id) where d.lease is not null', array[2::bigint], 'which stays so'
);
select is(pg_temp.again(t.id), 1, 'one that is under way can be sent again') from two t where t.n = 2;
select is((select d.lease is not null from interlock.deliveries d join two t using (id) where t.n = 2), true, 'and is not sent twice at a time');
update interlock.deliveries d set lease_until = now() where d.lease is not null;
select is(cardinality(pg_temp.claim()), 1, 'when its lease is over the first one comes again');

select pg_temp.over();

-- Made in pieces ---------------------------------------------------------------------------------

update interlock.webhook_endpoints set event_types = null;
delete from interlock.deliveries;
insert into interlock.outbox (type, subject, payload, transaction) select 'tap.one', n, '{}', n::text::xid8 from generate_series(20, 24) n;
update interlock.delivery_cursor set seen = '20:20:', target = null, position = 0;
create function pg_temp.open() returns boolean language sql as $$ select c.target is not null and c.seen::text = '20:20:' from interlock.delivery_cursor c $$;
select is(interlock.make_deliveries(1), 1, 'of so many events deliveries are made');
select is(interlock.make_deliveries(1), 1, 'then of the next');
select is((select array_agg(d.subject::text order by d.id) from interlock.deliveries d), '{20,21}', 'each once');
select is(interlock.make_deliveries(3), 3, 'then of all that are left');
select is(pg_temp.open(), true, 'which nobody knows yet: what was seen at first goes on counting');
select is(interlock.make_deliveries(3), 0, 'until there is none');
select is(pg_temp.open(), false, 'then the next ones are looked for');
insert into interlock.outbox (type, subject, payload, transaction, created_at) select 'tap.one', n, '{}', '25', now() - n * interval '1 second' from generate_series(0, 1) n;
update interlock.delivery_cursor set seen = '25:25:';
update interlock.webhook_endpoints set active_since = now() where active;
select interlock.make_deliveries(10);
select is((select string_agg(d.subject, ' ') from interlock.deliveries d where d.subject in ('0', '1')), '0', 'what has happened before an endpoint was there is not told there');
-- A transaction of its own that ends before ours does, as one that is later than ours would.
do $$ begin begin insert into interlock.outbox (type, subject, payload) values ('tap.one', 'x', '{}'); raise 'undo'; exception when others then null; end; end $$;
select is(pg_visible_in_snapshot(pg_current_xact_id(), interlock.committed_snapshot()), false, 'what is under way is not seen, whatever has ended since');
select pg_temp.over();

-- What came of it ------------------------------------------------------------------------------------

create function pg_temp.record(p_subject text, p_status int, p_error text, p_ms int default 1) returns text language plpgsql as $$
declare
  v_id bigint := (select max(d.id) from interlock.deliveries d where d.subject = p_subject);
begin
  update interlock.deliveries d
  set state = 'pending', ended_at = null, lease = '84000000-0000-4000-8000-0000000000ee', lease_until = now() + interval '1 minute'
  where d.id = v_id;
  return interlock.record_delivery(v_id, '84000000-0000-4000-8000-0000000000ee', p_status, p_error, p_ms, null, null) ->> 'state';
end
$$;
select throws_ok(format('select interlock.record_delivery(%s, %s, 200, null, 1, null, null)', i, l), 'PT400', 'VALIDATION_FAILED', 'an outcome is that of a delivery, by its lease: ' || i || ', ' || l)
from (values ('null', 'gen_random_uuid()'), ('1', 'null')) x (i, l);
select pg_temp.record('20', 200, null, ms) from unnest(array[null, -5, 7]) ms;
select is((select array_agg(a.duration_ms order by a.id) from interlock.delivery_attempts a), '{0,0,7}', 'how long it took is no less than nothing');
select is(pg_temp.record('21', status, null), 'pending', 'a webhook is tried again after ' || status) from unnest('{302,400,404,422,500}'::int[]) status;
update interlock.webhook_endpoints set active = true, failing_since = null;
select is(pg_temp.record('21', 410, null), 'dead', 'but not when its receiver is gone');
select results_eq(
  $$select w.active, w.disabled_at = now(), w.failing_since = now() from interlock.webhook_endpoints w where w.id = '84000000-0000-4000-8000-000000000010'$$,
  $$values (false, true, true)$$, 'which switches the endpoint off, that one alone'
);
select is((select count(*) from interlock.webhook_endpoints w where not w.active), 1::bigint, 'and no other');
update interlock.webhook_endpoints set failing_since = null where not active;
select pg_temp.record('21', 500, null);
select is(pg_temp.record('21', 410, null), 'dead', 'what was under way then');
select is((select w.failing_since from interlock.webhook_endpoints w where not w.active), null, 'says nothing of an endpoint that is off');
select is((select count(*) from interlock.events e where e.type = 'webhook.disabled' and e.payload ->> 'failing_since' is not null), 1::bigint, 'it is told once, with since when');

-- Sent again ------------------------------------------------------------------------------------------

create function pg_temp.retried(p_endpoint int, p_from timestamptz default null, p_to timestamptz default null) returns int language plpgsql as $$
declare
  v_retried int;
begin
  perform set_config('role', 'service_role', true), set_config('request.jwt.claims', '{"role": "service_role"}', true);
  v_retried := public.retry_delivery(p_endpoint_id => format('84000000-0000-4000-8000-0000000000%s', p_endpoint)::uuid, p_from => p_from, p_to => p_to) ->> 'retried';
  reset role;
  return v_retried;
end
$$;
delete from interlock.deliveries;
update interlock.webhook_endpoints set active = id in ('84000000-0000-4000-8000-000000000011', '84000000-0000-4000-8000-000000000012'), active_since = '-infinity';
insert into interlock.outbox (type, subject, payload, transaction) select 'tap.one', n, '{}', '30' from generate_series(1, 1002) n;
update interlock.delivery_cursor set seen = '30:30:', target = null, position = 0;
select interlock.make_deliveries(2000);
update interlock.deliveries set state = 'dead', ended_at = now();
select is(pg_temp.retried(11, now() + interval '1 second'), 0, 'nothing of later');
select is(pg_temp.retried(11, null, now()), 0, 'or of before');
select is(pg_temp.retried(11, null, now() + interval '1 second'), 1000, 'of what is dead a thousand at once are sent again');
select is((select array_agg(d.subject::text order by d.id) from interlock.deliveries d where d.state = 'dead' and d.endpoint_id = '84000000-0000-4000-8000-000000000011'), '{1001,1002}', 'the oldest first');
select is(pg_temp.retried(11), 2, 'then the rest');
select is((select count(*) from interlock.deliveries d where d.state = 'dead'), 1002::bigint, 'of another endpoint nothing');

select * from finish();
rollback;
