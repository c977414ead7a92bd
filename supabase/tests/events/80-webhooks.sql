-- Webhooks: which events become deliveries, who gets which and when, how they are signed, what becomes of attempts, and who may do what.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(188);

insert into auth.users (id, aud, role, email)
values
  ('80000000-0000-4000-8000-0000000000aa', 'authenticated', 'authenticated', 'tap-80-staff@example.com'),
  ('80000000-0000-4000-8000-0000000000bb', 'authenticated', 'authenticated', 'tap-80@example.com');

create function pg_temp.act_as(p_user text)
returns void
language sql
as $$
  select
    set_config('role', coalesce(nullif(p_user, 'staff'), 'authenticated'), true),
    set_config('request.jwt.claims', case p_user
      when 'staff' then '{"sub": "80000000-0000-4000-8000-0000000000aa", "role": "authenticated", "app_metadata": {"role": "staff"}}'
      when 'authenticated' then '{"sub": "80000000-0000-4000-8000-0000000000bb", "role": "authenticated"}'
      else format('{"role": "%s"}', p_user)
    end, true)
$$;
create function pg_temp.answer(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  execute 'select (' || p_sql || ')::jsonb' into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', coalesce(sqlerrm, ''), 'details', case when v_detail ~ '^[{]' then v_detail::jsonb - 'message' end);
end
$$;

create function pg_temp.answer_as(p_user text, p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  perform pg_temp.act_as(p_user);
  v_answer := pg_temp.answer(p_sql);
  reset role;
  return v_answer;
end
$$;

-- Nothing of others.
delete from interlock.webhook_endpoints;
delete from interlock.deliver_secrets;
update interlock.settings set webhooks_anywhere = false;

-- URLs -------------------------------------------------------------------------

select ok(interlock.is_webhook_url(u.url, false), u.url)
from (values
  ('https://shop.example.com'), ('https://shop.example.com/'), ('https://shop.example.com:8443/hook?a=1&b=%20'),
  ('https://xn--bcher-kva.example/hook'), ('https://shop.example.com:65535/'), ('https://a-b.c_d.example.co.uk/x')
) as u (url);
select ok(not interlock.is_webhook_url(u.url, false), 'not ' || u.url)
from (values
  ('http://shop.example.com/'), ('https://localhost/'), ('https://127.0.0.1/'), ('https://10.0.0.1/'), ('https://192.168.1.1/x'),
  ('https://169.254.169.254/latest/meta-data'), ('https://2130706433/'), ('https://0x7f000001/'), ('https://0177.0.0.1/'), ('https://127.1/'),
  ('https://[::1]/'), ('https://[fd00::1]/'), ('https://[::ffff:127.0.0.1]/'), ('https://intranet/'), ('https://db.internal/'), ('https://printer.local/'),
  ('https://a.localhost/'), ('https://router.lan/'), ('https://user@shop.example.com/'), ('https://user:pass@shop.example.com/'),
  ('https://shop.example.com@127.0.0.1/'), ('https://shop.example.com\@127.0.0.1/'), ('https://shop.example.com/#x'), ('https://shop.example.com./'), ('https://SHOP.example.com/'),
  ('https://shop.example.com /'), (E'https://shop.example.com/\r\nx: y'), ('https://'), ('https:///x'), ('ftp://shop.example.com/'), ('javascript:alert(1)'),
  (' https://shop.example.com/'), ('https://shop.example.com/' || repeat('a', 2000)), ('https://１２７.0.0.1/'), ('https://shop.example.com%2f@127.0.0.1/'),
  ('https://shop.example.com:65536/'), ('https://shop.example.com:99999/')
) as u (url);
select ok(interlock.is_webhook_url(u.url, true), 'for development ' || u.url)
from (values ('http://127.0.0.1:5000/hook'), ('http://localhost/'), ('http://[::1]:80/x'), ('https://shop.example.com/')) as u (url);
select ok(not interlock.is_webhook_url(u.url, true), 'never ' || u.url)
from (values ('ftp://localhost/'), ('http://a@localhost/'), ('http:///x'), (E'http://localhost/\n'), ('http://localhost/#a')) as u (url);

-- Who may do what ---------------------------------------------------------------

select is(pg_temp.answer_as(r.role, c.call) ->> 'code', case r.role when 'anon' then 'permission denied for function ' || split_part(split_part(c.call, '.', 2), '(', 1) else 'FORBIDDEN' end, r.role || ' does not call ' || c.call)
from (values ('anon'), ('authenticated')) as r (role)
cross join (values
  ($$public.create_webhook_endpoint('https://shop.example.com/')$$), ($$public.update_webhook_endpoint(gen_random_uuid())$$),
  ('public.delete_webhook_endpoint(gen_random_uuid())'), ('public.roll_webhook_secret(gen_random_uuid())'),
  ('public.send_test_event(gen_random_uuid())'), ('public.list_webhook_endpoints()'), ('public.list_deliveries()'),
  ('public.retry_delivery(1)')
) as c (call);
select is(pg_temp.answer_as('staff', $$public.set_deliver_secret(repeat('s', 32))$$) ->> 'code', 'permission denied for function set_deliver_secret', 'staff set no secret of the worker');
select is(pg_temp.answer_as(r.role, format('to_jsonb((select t.* is null from interlock.%s t limit 1))', t.name)) ->> 'code', 'permission denied for table ' || t.name, r.role || ' does not read ' || t.name)
from (values ('authenticated'), ('service_role')) as r (role)
cross join (values ('webhook_secrets'), ('deliver_secrets'), ('delivery_cursor')) as t (name);

select pg_temp.act_as('service_role');
select is(pg_temp.answer($$public.set_deliver_secret('short')$$) #>> '{details,problems,0,pointer}', '/p_secret', 'a short secret is none');
select is(pg_temp.answer(format('public.set_deliver_secret(%L)', repeat(s.c, 32))), '{"success": true}', 'the secret ' || s.c) from (values ('a'), ('b'), ('c'), ('b')) as s (c);
select is(pg_temp.answer_as('anon', format('public.claim_deliveries(%L)', s.secret)) ->> 'code', 'DELIVER_SECRET_INVALID', s.what || ' is not the secret')
from (values (repeat('a', 32), 'the one before the one before'), (repeat('x', 32), 'another'), ('', 'an empty one'), (null, 'none')) as s (secret, what);
select is(pg_temp.answer_as('anon', format('public.claim_deliveries(%L)', repeat(s.c, 32))), '{"success": true, "deliveries": []}', 'the secret ' || s.c || ' counts')
from (values ('b'), ('c')) as s (c);

-- Endpoints -----------------------------------------------------------------------

select pg_temp.act_as('staff');
select is(
  (select array_agg(p ->> 'pointer') from jsonb_array_elements(pg_temp.answer(
    $$public.create_webhook_endpoint('http://localhost/', E'a\nb', array['order.paid', 'nonsense', null])$$
  ) #> '{details,problems}') p),
  array['/p_url', '/p_description', '/p_event_types'], 'all that is wrong with an endpoint is said at once'
);
select is(pg_temp.answer('public.create_webhook_endpoint(null)') #>> '{details,problems,0,message}', 'is required', 'it has a URL');
create temp table t (name text primary key, answer jsonb);
grant all on t to public;
create function pg_temp.id(p_name text) returns uuid language sql as $$ select (t.answer #>> '{endpoint,id}')::uuid from t where t.name = p_name $$;
insert into t values
  ('all', pg_temp.answer($$public.create_webhook_endpoint('https://all.example.com/hook', ' All ')$$)),
  ('some', pg_temp.answer($$public.create_webhook_endpoint('https://some.example.com/hook', p_event_types => '{tap.one}')$$)),
  ('ordered', pg_temp.answer($$public.create_webhook_endpoint('https://ordered.example.com/hook', p_event_types => '{tap.two}', p_ordered => true)$$));
select is(t.answer - 'secret' #- '{endpoint,id}' #- '{endpoint,created_at}', '{"success": true, "endpoint": {
  "url": "https://all.example.com/hook", "channel": "webhook", "description": "All", "event_types": null, "ordered": false, "active": true,
  "failing_since": null, "disabled_at": null
}}', 'an endpoint is made') from t where name = 'all';
select matches(t.answer ->> 'secret', '^whsec_[A-Za-z0-9+/]{43}=$', 'with a secret of 32 bytes') from t where name = 'all';
select is(count(distinct answer ->> 'secret'), 3::bigint, 'each has its own') from t;
select is(jsonb_array_length(pg_temp.answer('public.list_webhook_endpoints()') -> 'endpoints'), 3, 'they are listed');
select ok(pg_temp.answer('public.list_webhook_endpoints()')::text !~ 'whsec', 'without secrets');
reset role;

-- Which events become deliveries ----------------------------------------------------

-- Transactions 100 to 109 have begun when the cursor was there last, 105 and 107 had not ended. Ours is later than all of these.
create function pg_temp.event(p_transaction int, p_type text, p_subject text)
returns void
language sql
as $$
  insert into interlock.outbox (type, subject, payload, transaction)
  values (p_type, p_subject, jsonb_build_object('n', p_transaction), p_transaction::text::xid8)
$$;
create function pg_temp.made(p_limit int default 100)
returns text
language plpgsql
as $$
begin
  loop
    exit when interlock.make_deliveries(p_limit) < p_limit;
  end loop;
  return (
    select string_agg(format('%s %s', substring(w.url from '//([a-z]+)'), e.payload ->> 'n'), ', ' order by d.first, w.url)
    -- Those of one event are made in any order.
    from (select q.*, min(q.id) over (partition by q.position) as first from interlock.deliveries q) d
    join interlock.events e on e.position = d.position
    join interlock.webhook_endpoints w on w.id = d.endpoint_id
  );
end
$$;
update interlock.delivery_cursor set seen = '105:110:105,107', target = null, position = 0;
select pg_temp.event(e.transaction, 'tap.three', 'x')
from (values (104), (105), (106), (107), (109), (110), (112), (111)) as e (transaction);
select is(pg_temp.made(), 'all 105, all 107, all 110, all 112, all 111', 'what committed late is not lost, what was seen is not seen again, all in the order in which it was written');
select is(pg_temp.made(), 'all 105, all 107, all 110, all 112, all 111', 'and nothing twice');
select ok(pg_visible_in_snapshot('111', c.seen) and c.target is null, 'the cursor is past them') from interlock.delivery_cursor c;

delete from interlock.deliveries;
update interlock.delivery_cursor set seen = '105:110:105,107';
select is(pg_temp.made(2), 'all 105, all 107, all 110, all 112, all 111', 'a few at a time come to the same');
select ok(c.position = 0 and c.target is null and pg_visible_in_snapshot('111', c.seen), 'with the cursor at the same place') from interlock.delivery_cursor c;

delete from interlock.deliveries;
update interlock.delivery_cursor set seen = '105:110:105,107';
select interlock.note_event('tap.three', 'x', '{"n": 1}');
select is(pg_temp.made(), 'all 105, all 107, all 110, all 112, all 111', 'what has not committed is not told');
select ok(not pg_visible_in_snapshot(pg_current_xact_id(), c.seen), 'nor forgotten') from interlock.delivery_cursor c;

delete from interlock.deliveries;
update interlock.delivery_cursor set seen = format('%1$s:%1$s:', pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000)::pg_snapshot;
select is(interlock.make_deliveries(100), 0, 'a cursor of another database makes nothing');
select ok(pg_snapshot_xmax(c.seen) <= pg_snapshot_xmax(pg_current_snapshot()), 'and begins again here') from interlock.delivery_cursor c;

update interlock.delivery_cursor set seen = '200:200:';
select pg_temp.event(e.transaction, e.type, e.subject)
from (values (201, 'tap.one', 'a'), (202, 'tap.two', 'a'), (203, 'tap.two', 'b'), (204, 'tap.two', 'a'), (205, 'webhook.test', 'a')) as e (transaction, type, subject);
select is(pg_temp.made(), 'all 201, some 201, all 202, ordered 202, all 203, ordered 203, all 204, ordered 204', 'each endpoint gets the types that it wants');


-- Claiming ----------------------------------------------------------------------------

create function pg_temp.claim(p_limit int default 50)
returns text
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  perform pg_temp.act_as('anon');
  v_answer := pg_temp.answer(format('public.claim_deliveries(%L, %s)', repeat('c', 32), p_limit));
  reset role;
  if v_answer ? 'code' then
    return v_answer ->> 'code';
  end if;
  truncate pg_temp.claimed;
  insert into pg_temp.claimed select d from jsonb_array_elements(v_answer -> 'deliveries') as d;
  return (
    select string_agg(format('%s %s', substring(d ->> 'url' from '//([a-z]+)'), (d ->> 'body')::jsonb #>> '{data,n}'), ', ' order by (d ->> 'body')::jsonb #> '{data,n}', d ->> 'url')
    from pg_temp.claimed
  );
end
$$;
create temp table claimed (d jsonb);
grant all on claimed to public;
create function pg_temp.record(p_which text, p_more text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  perform pg_temp.act_as('anon');
  v_answer := (
    select pg_temp.answer(format('public.record_delivery(%L, %L, %s)', c.d ->> 'id', c.d ->> 'lease', p_more))
    from pg_temp.claimed c
    where format('%s %s', substring(c.d ->> 'url' from '//([a-z]+)'), (c.d ->> 'body')::jsonb #>> '{data,n}') = p_which
  );
  reset role;
  return v_answer;
end
$$;

select is(pg_temp.claim(), 'all 201, some 201, all 202, ordered 202, all 203, ordered 203, all 204', 'an ordered endpoint gets the first of each subject, the others get all');
select is(
  (c.d ->> 'body')::jsonb - 'id' - 'timestamp' - 'position', '{"type": "tap.one", "subject": "a", "data": {"n": 201}}', 'the body is what Standard Webhooks asks for'
) from claimed c where c.d ->> 'url' like '%some%';
select is(
  c.d #>> '{headers,webhook-signature}',
  'v1,' || encode(interlock.hmac_sha256(decode(substr(t.answer ->> 'secret', 7), 'base64'), convert_to(concat_ws('.', c.d #>> '{headers,webhook-id}', c.d #>> '{headers,webhook-timestamp}', c.d ->> 'body'), 'UTF8')), 'base64'),
  'signed by its secret'
) from claimed c join t on t.name = 'some' where c.d ->> 'url' like '%some%';
select ok(not exists (select from claimed c where c.d::text like '%whsec%'), 'which is not told');
select is(pg_temp.claim(), null, 'nobody else gets them meanwhile');

-- A worker that is killed.
update interlock.deliveries set lease_until = now() - interval '1 second' where lease is not null;
create temp table lost as select * from claimed;
grant all on lost to public;
select is(pg_temp.claim(3), 'all 201, some 201, ordered 202', 'what its worker has left is claimed again; each endpoint has its turn');
select is(pg_temp.record('some 201', '200'), '{"success": true, "recorded": true, "state": "delivered"}', 'it is delivered');
select is(pg_temp.record('some 201', '200'), '{"success": true, "recorded": false}', 'once');
select is(pg_temp.record('ordered 202', 'null, ''timed_out'', 15000'), '{"success": true, "recorded": true, "state": "pending"}', 'what was not accepted is tried again');
select ok(d.attempts = 1 and d.next_attempt_at - now() between interval '5 seconds' and interval '6 seconds' and d.lease is null, 'after five seconds')
from interlock.deliveries d join interlock.events e on e.position = d.position where d.endpoint_id = pg_temp.id('ordered') and e.payload = '{"n": 202}';
select ok(w.failing_since = now(), 'the endpoint fails') from interlock.webhook_endpoints w where w.id = pg_temp.id('ordered');
select is(pg_temp.claim(), 'all 202, all 203, ordered 203, all 204', 'what comes after it waits, another subject does not');
update interlock.deliveries set next_attempt_at = now() where state = 'pending';
select is(pg_temp.claim(), null, 'an endpoint that fails has one under way');
select is(pg_temp.record('ordered 203', '204'), null, 'nothing is recorded that was not claimed');
update interlock.deliveries set lease = null, lease_until = null, next_attempt_at = now() + interval '1 second' where state = 'pending';
select is(pg_temp.claim(), null, 'nothing is sent before it is due');
update interlock.deliveries set next_attempt_at = now() where state = 'pending';
update interlock.webhook_endpoints set url = replace(url, 'https:', 'http:');
select is(pg_temp.claim(), null, 'nothing goes where it may not go any more');
update interlock.webhook_endpoints set url = replace(url, 'http:', 'https:');
update interlock.deliveries set lease = null, lease_until = null where lease is not null;
select is(pg_temp.claim(), 'all 201, all 202, ordered 202, all 203, all 204', 'the one that was first is first again');
select is((select array_agg(c.d ->> 'public') from claimed c), array_fill('true'::text, array[5]), 'it is looked at where they lead');
select is(pg_temp.record('ordered 202', '503, null, 12, 3600, ''' || repeat('é', 900) || ''''), '{"success": true, "recorded": true, "state": "pending"}', 'a receiver asks for an hour');
select ok(d.next_attempt_at - now() between interval '1 hour' and interval '72 minutes', 'and gets it')
from interlock.deliveries d where d.endpoint_id = pg_temp.id('ordered') and d.attempts = 2;
select is(octet_length(a.answer), 1024, 'of its answer a kilobyte is kept, in whole characters')
from interlock.delivery_attempts a where a.status = 503;
update interlock.deliveries set next_attempt_at = now(), lease = null, lease_until = null where state = 'pending';
select pg_temp.claim();
select is(pg_temp.record('ordered 202', '200') ->> 'state', 'delivered', 'at last');
select ok(w.failing_since is null, 'the endpoint does not fail any more') from interlock.webhook_endpoints w where w.id = pg_temp.id('ordered');
select is(pg_temp.claim(), 'ordered 203, ordered 204', 'what came after it comes');
select is(pg_temp.record('ordered 203', s.arguments) #>> '{details,problems,0,pointer}', '', 'an outcome is ' || s.what)
from (values ('null, null', 'something'), ('200, ''broken''', 'one thing'), ('99', 'a status'), ('null, ''''', 'a reason')) as s (arguments, what);

-- Pauses ---------------------------------------------------------------------------

select ok(
  interlock.delivery_pause(p.attempts::int, null) between p.pause and p.pause * 1.2, p.attempts || ' attempts: ' || p.pause
)
from unnest(array['5 s', '30 s', '2 min', '10 min', '30 min', '1 h', '3 h', '6 h', '12 h', '24 h', '24 h']::interval[]) with ordinality as p (pause, attempts);
select is(interlock.delivery_pause(12, 60), null, 'then it is given up, whatever the receiver asks for');
select is(interlock.delivery_pause(1, 1000000000), interval '1 day', 'nobody asks for more than a day');
select ok(interlock.delivery_pause(1, -5) >= interval '5 seconds', 'or for less');

-- The end of a delivery, of an endpoint ------------------------------------------------

update interlock.deliveries d set attempts = 11, lease = null, lease_until = null, next_attempt_at = now()
where d.endpoint_id = pg_temp.id('ordered') and d.state = 'pending';
select is(pg_temp.claim(), 'ordered 203, ordered 204', 'the last attempts');
select is(pg_temp.record('ordered 203', '500') ->> 'state', 'dead', 'one is given up');
select is(pg_temp.record('ordered 204', '302') ->> 'state', 'dead', 'a redirect is not followed');
select ok(w.active, 'its endpoint stays') from interlock.webhook_endpoints w where w.id = pg_temp.id('ordered');
insert into t select 'delivered', to_jsonb(min(d.id)) from interlock.deliveries d where d.state = 'delivered';
select pg_temp.act_as('staff');
select is(pg_temp.answer(format('public.retry_delivery(p_endpoint_id => %L, p_to => now())', pg_temp.id('ordered'))) ->> 'retried', '0', 'no dead ones of another time');
select is(pg_temp.answer(format('public.retry_delivery(p_endpoint_id => %L, p_from => now())', pg_temp.id('ordered'))) ->> 'retried', '2', 'dead ones are sent again');
select is(pg_temp.answer(format('public.retry_delivery(p_endpoint_id => %L)', pg_temp.id('ordered'))) ->> 'retried', '0', 'once');
select is(pg_temp.answer('public.retry_delivery(0)') ->> 'code', 'DELIVERY_NOT_FOUND', 'there is no such delivery');
select is(pg_temp.answer('public.retry_delivery()') ->> 'code', 'VALIDATION_FAILED', 'something is named');
select is(
  pg_temp.answer(format('public.retry_delivery(%s)', (select t.answer from t where t.name = 'delivered'))) ->> 'retried', '1',
  'one that was delivered is sent again, too'
);
select is(
  (select array_agg(d - '{id,event_id,endpoint_id,created_at,next_attempt_at,ended_at,log}'::text[] || jsonb_build_object('log', (select array_agg(l -> 'status') from jsonb_array_elements(d -> 'log') l)) order by (d ->> 'id')::bigint)
   from jsonb_array_elements(pg_temp.answer(format('public.list_deliveries(%L)', pg_temp.id('ordered'))) -> 'deliveries') d),
  array[
    '{"subject": "a", "state": "delivered", "attempts": 3, "lease_until": null, "event_type": "tap.two", "log": [null, 503, 200]}',
    '{"subject": "b", "state": "pending", "attempts": 0, "lease_until": null, "event_type": "tap.two", "log": [500]}',
    '{"subject": "a", "state": "pending", "attempts": 0, "lease_until": null, "event_type": "tap.two", "log": [302]}'
  ]::jsonb[] , 'all of it is listed'
) ;
select is(jsonb_array_length(pg_temp.answer(format('public.list_deliveries(%L, ''pending'', null, 1)', pg_temp.id('ordered'))) -> 'deliveries'), 1, 'a page at a time');
select is(pg_temp.answer('public.list_deliveries(null, ''gone'', null, 0)') ->> 'code', 'VALIDATION_FAILED', 'of states that there are');
select is(
  pg_temp.answer(format('public.list_deliveries(%L, p_limit => 1)', pg_temp.id('ordered'))) #> '{deliveries,0,log,0,status}', '302', 'with each attempt'
);
reset role;

update interlock.webhook_endpoints set failing_since = now() - interval '5 days' where id = pg_temp.id('ordered');
select pg_temp.claim();
select is(pg_temp.record('ordered 203', '500') ->> 'state', 'pending', 'five days are not over');
update interlock.webhook_endpoints set failing_since = now() - interval '5 days 1 second' where id = pg_temp.id('ordered');
update interlock.deliveries set next_attempt_at = now(), lease = null, lease_until = null where state = 'pending';
select pg_temp.claim();
select is(pg_temp.record('ordered 203', '500') ->> 'state', 'pending', 'now they are');
select ok(not w.active and w.disabled_at = now(), 'the endpoint is switched off') from interlock.webhook_endpoints w where w.id = pg_temp.id('ordered');
select is(e.payload - 'failing_since', jsonb_build_object('endpoint_id', pg_temp.id('ordered'), 'reason', 'failing'), 'which is told')
from interlock.events e where e.type = 'webhook.disabled';
update interlock.deliveries set next_attempt_at = now(), lease = null, lease_until = null where state = 'pending';
select unalike(pg_temp.claim(), '%ordered%', 'nothing is sent there');
select pg_temp.act_as('staff');
select is(pg_temp.answer(format('public.send_test_event(%L)', pg_temp.id('ordered'))) ->> 'code', 'WEBHOOK_ENDPOINT_INACTIVE', 'not even a test');
select is(
  (pg_temp.answer(format('public.update_webhook_endpoint(%L, p_active => true, p_description => ''Warehouse'', p_event_types => ''{}'')', pg_temp.id('ordered'))) -> 'endpoint') - 'id' - 'created_at',
  '{"url": "https://ordered.example.com/hook", "channel": "webhook", "description": "Warehouse", "event_types": null, "ordered": true, "active": true, "failing_since": null, "disabled_at": null}',
  'it is switched on again'
);
select is(pg_temp.answer('public.update_webhook_endpoint(gen_random_uuid())') ->> 'code', 'WEBHOOK_ENDPOINT_NOT_FOUND', 'if there is one');
select is(pg_temp.answer(format('public.update_webhook_endpoint(%L, ''https://10.0.0.1/'')', pg_temp.id('ordered'))) ->> 'code', 'VALIDATION_FAILED', 'and it does not move inside');
reset role;
select alike(pg_temp.claim(), '%ordered 203, ordered 204%', 'what had waited goes on');
select is(pg_temp.record('ordered 204', '410') ->> 'state', 'dead', 'who is gone gets nothing more');
select ok(not w.active, 'and is switched off at once') from interlock.webhook_endpoints w where w.id = pg_temp.id('ordered');
select is(count(*), 2::bigint, 'with an event') from interlock.events e where e.type = 'webhook.disabled';

-- A test, a roll, a removal ---------------------------------------------------------------

select pg_temp.act_as('staff');
select is(pg_temp.answer(format('public.send_test_event(%L)', pg_temp.id('some'))) -> 'success', 'true', 'a test event');
insert into t select 'rolled', pg_temp.answer(format('public.roll_webhook_secret(%L, 1)', pg_temp.id('some')));
select is(pg_temp.answer(format('public.roll_webhook_secret(%L, 169)', pg_temp.id('some'))) ->> 'code', 'VALIDATION_FAILED', 'a week at most');
reset role;
select alike(pg_temp.claim(), '%some%', 'it is sent');
select is(
  string_to_array(c.d #>> '{headers,webhook-signature}', ' '),
  (select array_agg('v1,' || encode(interlock.hmac_sha256(decode(substr(t.answer ->> 'secret', 7), 'base64'), convert_to(concat_ws('.', c.d #>> '{headers,webhook-id}', c.d #>> '{headers,webhook-timestamp}', c.d ->> 'body'), 'UTF8')), 'base64') order by t.name)
   from t where t.name in ('rolled', 'some')),
  'signed by both, the new one first'
) from claimed c where (c.d ->> 'body')::jsonb ->> 'type' = 'webhook.test';
select is((select array_agg(substring(c.d ->> 'url' from '//([a-z]+)')) from claimed c where (c.d ->> 'body')::jsonb ->> 'type' = 'webhook.test'), array['some'], 'to nobody else');
update interlock.webhook_secrets set valid_until = now() where valid_until is not null;
update interlock.deliveries set lease_until = now() where lease is not null;
select pg_temp.claim();
select is(length(c.d #>> '{headers,webhook-signature}'), 47, 'the old one ceases') from claimed c where (c.d ->> 'body')::jsonb ->> 'type' = 'webhook.test';
select pg_temp.act_as('staff');
select is(pg_temp.answer(format('public.delete_webhook_endpoint(%L)', pg_temp.id('some'))) -> 'success', 'true', 'an endpoint is removed');
select is(pg_temp.answer(format('public.delete_webhook_endpoint(%L)', pg_temp.id('some'))) ->> 'code', 'WEBHOOK_ENDPOINT_NOT_FOUND', 'once');
reset role;
select is_empty(format('select from interlock.deliveries where endpoint_id = %L union all select from interlock.webhook_secrets where endpoint_id = %1$L', pg_temp.id('some')), 'with all that was its own');

-- Nobody listens ----------------------------------------------------------------------------

delete from interlock.webhook_endpoints;
update interlock.delivery_cursor set seen = '200:200:';
select is(interlock.make_deliveries(100), 0, 'with no endpoint nothing is made');
select is(c.seen::text, '200:200:', 'or written') from interlock.delivery_cursor c;
select is(d.since, null, 'and nothing is due') from interlock.deliveries_due() d;
select pg_temp.act_as('staff');
select is(pg_temp.answer($$public.create_webhook_endpoint('https://new.example.com/')$$) -> 'success', 'true', 'who comes');
reset role;
select is(pg_temp.made(), null, 'gets nothing of before');

-- Retention ---------------------------------------------------------------------------------

update interlock.delivery_cursor set seen = '200:200:';
select interlock.make_deliveries(100);
update interlock.deliveries d set state = 'delivered', ended_at = now() - interval '31 days' where d.id in (select min(q.id) from interlock.deliveries q);
select is(interlock.purge_history(1000) ->> 'deliveries', '1', 'what was delivered goes after a month');
insert into interlock.outbox (type, subject, payload, created_at)
select 'tap.old', n.name, '{}', now() - interval '91 days' from (values ('free'), ('to be delivered')) as n (name);
insert into interlock.deliveries (position, transaction, endpoint_id, subject)
select e.position, e.transaction, w.id, e.subject from interlock.events e cross join interlock.webhook_endpoints w where e.type = 'tap.old' and e.subject <> 'free';
select interlock.purge_history(1000);
select results_eq(
  $$select e.subject::text from interlock.events e where e.type = 'tap.old'$$, array['to be delivered'], 'an event goes after three, but not before it is delivered'
);
select * from finish();
rollback;
