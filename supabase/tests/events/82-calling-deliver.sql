-- How the platform's scheduler calls the function deliver: by pg_net, with the vault's secret, and only if something is due.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(51);

update interlock.settings set webhooks_anywhere = true, deliver_url = null;
delete from interlock.webhook_endpoints;

select is(interlock.call_deliver(), 0, 'without pg_net nothing is called');
insert into interlock.webhook_endpoints (id, url) values ('82000000-0000-4000-8000-000000000001', 'http://127.0.0.1:9/');
update interlock.settings set deliver_url = 'https://ref.supabase.co/functions/v1/deliver';
update interlock.delivery_cursor set seen = interlock.committed_snapshot(), target = null, position = 0;
select interlock.note_event('tap.due', 'x', '{}');
select is(interlock.call_deliver(), 0, 'whatever is due, and however it is set up');

-- What the job needs of pg_net and of the vault.
create schema net;
create schema vault;
create table net.calls (url text, body jsonb, headers jsonb, timeout int);
grant usage on schema net, vault to public;
grant all on net.calls to public;
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds int default 5000
)
returns bigint
language sql
as $$
  insert into net.calls values (url, body, headers, timeout_milliseconds) returning 1::bigint
$$;
select is(interlock.call_deliver(), 0, 'nor without the vault');
create table vault.decrypted_secrets (name text, decrypted_secret text);
grant select on vault.decrypted_secrets to public;
delete from interlock.webhook_endpoints;
update interlock.settings set deliver_url = null;

insert into interlock.webhook_endpoints (url) values ('http://127.0.0.1:9/');
update interlock.delivery_cursor set seen = interlock.committed_snapshot(), target = null, position = 0;
insert into interlock.deliveries (position, transaction, endpoint_id, subject, next_attempt_at)
select interlock.note_event('tap.due', 'x', '{}'), pg_current_xact_id(), w.id, 'x', now() from interlock.webhook_endpoints w;

select interlock.call_deliver();
select is_empty('select from net.calls', 'nor as long as nobody has said where the function is');

update interlock.settings set deliver_url = 'https://ref.supabase.co/functions/v1/deliver';
select throws_ok(
  'select interlock.call_deliver()', 'P0001', 'the vault has no secret interlock_deliver_secret', 'without its secret the job fails and says so'
);
insert into vault.decrypted_secrets values ('another', 'no'), ('interlock_deliver_secret', 'the secret of the worker');
select is(interlock.call_deliver(), 1, 'it is called, and the job looks whether something is left');
select results_eq(
  'select url, body, timeout from net.calls', $$values ('https://ref.supabase.co/functions/v1/deliver', '{}'::jsonb, 60000)$$,
  'where the settings say'
);
select is(
  (select headers from net.calls),
  jsonb '{"content-type": "application/json", "x-deliver-secret": "the secret of the worker"}'
    || case when interlock.serves_shops() then jsonb_build_object('x-shop', interlock.shop_id()::text) else '{}' end,
  'with the secret in the header that the function reads, and the shop where there are many'
);

delete from net.calls;
update interlock.deliveries d set next_attempt_at = now() + interval '1 minute';
update interlock.delivery_cursor set seen = format('%s:%1$s:', pg_current_xact_id()::text::bigint + 1)::pg_snapshot;
select interlock.call_deliver();
select is_empty('select from net.calls', 'if nothing is due nobody is called');
update interlock.deliveries d set next_attempt_at = now();
update interlock.deliveries d set lease = gen_random_uuid(), lease_until = now() + interval '1 minute';
select is(interlock.call_deliver(), 0, 'what a worker has is not called for');
update interlock.deliveries d set lease_until = now();
select is(interlock.call_deliver(), 1, 'unless it has had it for too long');

-- Where nothing gets through: one call each minute.
update interlock.deliveries d set lease = null, lease_until = null, next_attempt_at = now() - interval '2 minutes';
delete from net.calls;
select is(interlock.call_deliver(), 0, 'what was due for a minute, in which nothing was delivered, is no reason to call at once');
select is((select count(*) from net.calls), 1::bigint, 'but to call each minute');
insert into interlock.deliveries (position, transaction, endpoint_id, subject, state, ended_at)
select interlock.note_event('tap.due', 'y', '{}'), pg_current_xact_id(), w.id, 'y', 'delivered', now() - interval '59 seconds' from interlock.webhook_endpoints w;
update interlock.delivery_cursor set seen = format('%s:%1$s:', pg_current_xact_id()::text::bigint + 1)::pg_snapshot;
select is(interlock.call_deliver(), 1, 'as long as something is, it is one');
delete from interlock.deliveries d where d.subject = 'y';
insert into interlock.deliveries (position, transaction, endpoint_id, subject, next_attempt_at)
select interlock.note_event('tap.due', 'x', '{}'), pg_current_xact_id(), w.id, 'x', now() from interlock.webhook_endpoints w;
update interlock.delivery_cursor set seen = format('%s:%1$s:', pg_current_xact_id()::text::bigint + 1)::pg_snapshot;
update interlock.deliveries d
set next_attempt_at = now() + interval '1 minute'
where d.id = (select min(q.id) from interlock.deliveries q);
select is(d.since, now(), 'whichever may go first is due') from interlock.deliveries_due() d;
update interlock.webhook_endpoints set ordered = true;
select is(d::text, '(,)', 'unless order is asked for, and the one before it waits') from interlock.deliveries_due() d;
update interlock.webhook_endpoints set ordered = false;
delete from interlock.deliveries d where d.id > (select min(q.id) from interlock.deliveries q);
update interlock.deliveries d set next_attempt_at = now();

-- Whose it is that gets through: beside another endpoint that is well, what gets nowhere is called for no more often.
update interlock.webhook_endpoints set url = 'https://stuck.example.com/';
insert into interlock.webhook_endpoints (id, url) values ('82000000-0000-4000-8000-000000000002', 'https://well.example.com/');
create function pg_temp.deliver(p_endpoint text, p_subject text, p_due timestamptz, p_ended timestamptz default null, p_leased timestamptz default null)
returns void
language sql
as $$
  insert into interlock.deliveries (position, transaction, endpoint_id, subject, next_attempt_at, state, ended_at, lease, lease_until)
  select
    interlock.note_event('tap.due', p_subject, '{}'), pg_current_xact_id(), w.id, p_subject, p_due,
    case when p_ended is null then 'pending' else 'delivered' end, p_ended, case when p_leased is not null then gen_random_uuid() end, p_leased
  from interlock.webhook_endpoints w
  where w.url = format('https://%s.example.com/', p_endpoint);
  update interlock.delivery_cursor set seen = format('%s:%1$s:', pg_current_xact_id()::text::bigint + 1)::pg_snapshot;
$$;
create function pg_temp.called()
returns text
language plpgsql
as $$
declare
  v_again constant int := interlock.call_deliver();
  v_calls int;
begin
  delete from net.calls;
  get diagnostics v_calls = row_count;
  return format('called %s, again %s', v_calls, v_again);
end
$$;
delete from net.calls;
delete from interlock.deliveries;
select pg_temp.deliver('well', 'a', now() - interval '1 minute', now());
update interlock.webhook_endpoints w set failing_since = now() - interval '1 hour' where w.url like '%stuck%';
select pg_temp.deliver('stuck', s, now() - interval '2 minutes') from unnest('{a,b,c}'::text[]) s;
select is(pg_temp.called(), 'called 1, again 0', 'one that fails, with more behind, is called for once a minute');
select pg_temp.deliver('well', 'b', now() - interval '2 minutes');
select is(pg_temp.called(), 'called 1, again 1', 'while one that is well and has much is called for again');
delete from interlock.deliveries d where d.subject = 'b' and d.endpoint_id = '82000000-0000-4000-8000-000000000002';
update interlock.deliveries d set lease = gen_random_uuid(), lease_until = now() + interval '1 minute' where d.subject = 'a' and d.state = 'pending';
select is(pg_temp.called(), 'called 0, again 0', 'what fails has one under way, and no worker would take another');
update interlock.webhook_endpoints w set failing_since = null;
select is(pg_temp.called(), 'called 1, again 0', 'as it would of one that does not');
select pg_temp.deliver('stuck', s, now(), null, now() + interval '1 minute') from unnest('{d,e,f,g}'::text[]) s;
select is(pg_temp.called(), 'called 0, again 0', 'which has five at most');
select pg_temp.deliver('stuck', 'h', now(), now());
select is(pg_temp.called(), 'called 0, again 1', 'and is looked at again where they come to an end: the next is called for then');
delete from interlock.deliveries d where d.subject <> 'a' or d.state = 'delivered';
select pg_temp.deliver('stuck', 'a', now());
update interlock.webhook_endpoints set ordered = true;
select is(pg_temp.called(), 'called 0, again 1', 'so it is where what is under way holds back what is behind it');
update interlock.deliveries d set lease = null, lease_until = null, next_attempt_at = now() + interval '1 minute' where d.id = (select min(q.id) from interlock.deliveries q);
select is(pg_temp.called(), 'called 0, again 0', 'but not where that waits to be tried again');
update interlock.webhook_endpoints set ordered = false;
select is(pg_temp.called(), 'called 1, again 1', 'where no order is asked for it goes');
update interlock.settings set webhooks_anywhere = false;
update interlock.webhook_endpoints w set url = 'http://127.0.0.1:9/' where w.url like '%stuck%';
select pg_temp.deliver('well', 'a', now() - interval '1 minute', now());
select is(pg_temp.called(), 'called 0, again 0', 'where nothing may be sent nobody is called');
update interlock.webhook_endpoints w set channel = 'crm', url = null where w.url = 'http://127.0.0.1:9/';
select is(pg_temp.called(), 'called 1, again 1', 'which is asked of webhooks only');
update interlock.settings set webhooks_anywhere = true;

-- Each part of the question, on its own.
update interlock.webhook_endpoints w set channel = 'webhook', url = 'https://stuck.example.com/' where w.channel = 'crm';
create function pg_temp.clean(p_ordered boolean) returns void language sql as $$
  delete from interlock.deliveries;
  update interlock.webhook_endpoints set ordered = p_ordered, failing_since = null;
$$;
select pg_temp.clean(false);
select pg_temp.deliver('stuck', 'a', now() + interval '1 minute'), pg_temp.deliver('stuck', 'b', now(), null, now() + interval '1 minute');
select is(pg_temp.called(), 'called 0, again 0', 'what is for later does not wait for what is under way');
select pg_temp.deliver('stuck', 'c', now()), pg_temp.deliver('stuck', 'd', now() - interval '2 minutes');
select is((d.since, d.again)::text, format('("%s",f)', now() - interval '2 minutes'), 'the one that has waited longest says for how long') from interlock.deliveries_due() d;
select pg_temp.clean(false);
select pg_temp.deliver('well', s, now(), null, now() + interval '1 minute') from unnest('{a,b,c,d,e}'::text[]) s;
select pg_temp.deliver('stuck', 'a', now());
select is(pg_temp.called(), 'called 1, again 1', 'each has as many under way as it may');
select pg_temp.clean(false);
select pg_temp.deliver('stuck', 'a', now(), null, now());
update interlock.webhook_endpoints set failing_since = now();
select is(pg_temp.called(), 'called 1, again 1', 'of which a lease that has lapsed is none');
select pg_temp.clean(true);
select pg_temp.deliver('well', 'a', now() + interval '1 minute'), pg_temp.deliver('stuck', 'b', now() + interval '1 minute'), pg_temp.deliver('stuck', 'a', now(), now());
select pg_temp.deliver('stuck', 'a', now());
select is(pg_temp.called(), 'called 1, again 1', 'nothing is held back by another endpoint, another subject, or what has come to its end');
select pg_temp.clean(true);
select pg_temp.deliver('stuck', 'a', now()), pg_temp.deliver('stuck', 'a', now(), null, now() + interval '1 minute');
select is(pg_temp.called(), 'called 0, again 1', 'a subject has one under way, whichever');
update interlock.deliveries d set lease_until = now() where d.lease is not null;
select is(pg_temp.called(), 'called 1, again 1', 'unless that has lapsed');
select pg_temp.clean(true);
select pg_temp.deliver('stuck', 'a', now()), pg_temp.deliver('stuck', 'b', now(), null, now() + interval '1 minute'), pg_temp.deliver('well', 'a', now(), null, now() + interval '1 minute');
select is(pg_temp.called(), 'called 1, again 1', 'or is another subject''s, or another endpoint''s');
update interlock.webhook_endpoints set active = false;
select is(pg_temp.called(), 'called 0, again 0', 'and nothing where it is switched off');
update interlock.webhook_endpoints set active = true;
-- New events, of which no deliveries are made yet.
create function pg_temp.tell(p_at timestamptz) returns void language sql as $$
  update interlock.delivery_cursor set seen = format('%s:%1$s:', pg_current_xact_id()::text::bigint)::pg_snapshot;
  select set_config('interlock.purging', 'outbox', true);
  delete from interlock.outbox;
  insert into interlock.outbox (type, subject, payload, created_at) values ('tap.due', 'x', '{}', p_at);
$$;
select pg_temp.clean(false);
insert into interlock.deliveries (position, transaction, endpoint_id, subject, state, ended_at)
select 2, pg_current_xact_id(), w.id, 'x', 'delivered', now() - interval '1 minute' from interlock.webhook_endpoints w;
select pg_temp.tell(now() - interval '2 minutes');
select is((d.since, d.again)::text, format('("%s",f)', now() - interval '2 minutes'), 'an event that has waited for long is called for') from interlock.deliveries_due() d;
select pg_temp.tell(now());
select is(pg_temp.called(), 'called 1, again 1', 'a new one more often');
insert into interlock.deliveries (position, transaction, endpoint_id, subject, next_attempt_at)
select 3, pg_current_xact_id(), w.id, 'x', now() from interlock.webhook_endpoints w where w.url like '%stuck%';
select pg_temp.tell(now() - interval '2 minutes');
select is(pg_temp.called(), 'called 1, again 1', 'or one beside which something has just come to be due');
delete from interlock.deliveries d where d.position = 3;
select pg_temp.tell(now() - interval '2 minutes');
insert into interlock.deliveries (position, transaction, endpoint_id, subject, state, ended_at)
select 1, pg_current_xact_id(), w.id, 'x', 'delivered', now() from interlock.webhook_endpoints w where w.url like '%well%';
select is(pg_temp.called(), 'called 1, again 1', 'and one where anything gets through, for that makes deliveries of it');
select pg_temp.clean(false);
insert into interlock.deliveries (position, transaction, endpoint_id, subject, next_attempt_at)
select interlock.note_event('tap.due', 'x', '{}'), pg_current_xact_id(), w.id, 'x', now() from interlock.webhook_endpoints w where w.url like '%stuck%';
update interlock.delivery_cursor set seen = format('%s:%1$s:', pg_current_xact_id()::text::bigint + 1)::pg_snapshot;
delete from interlock.webhook_endpoints w where w.url like '%well%';
update interlock.webhook_endpoints set channel = 'webhook', url = 'http://127.0.0.1:9/';
delete from interlock.deliveries d where d.id > (select min(q.id) from interlock.deliveries q);
update interlock.deliveries d set next_attempt_at = now();

-- The whole job: for as long as what was called leaves something.
delete from net.calls;
create function pg_temp.send_one()
returns trigger
language plpgsql
as $$
begin
  update interlock.deliveries d
  set state = 'delivered', lease = null, lease_until = null, ended_at = now()
  where d.id = (select min(q.id) from interlock.deliveries q where q.state = 'pending');
  return null;
end
$$;
create trigger send_one after insert on net.calls for each row execute function pg_temp.send_one();
insert into interlock.deliveries (position, transaction, endpoint_id, subject)
select interlock.note_event('tap.due', 'x', '{}'), pg_current_xact_id(), w.id, 'x' from interlock.webhook_endpoints w;
update interlock.delivery_cursor set seen = format('%s:%1$s:', pg_current_xact_id()::text::bigint + 1)::pg_snapshot;
-- It acts for each shop that there is, until its transaction ends.
select set_config('tap.shop', coalesce(current_setting('interlock.shop', true), ''), true);
do $$
begin
  -- Its commits are not for a test.
  execute replace((select j.command from interlock.jobs() j where j.name = 'deliver'), 'commit;', '');
end
$$;
reset role;
select set_config('interlock.shop', current_setting('tap.shop'), true);
select is((select count(*) from net.calls), 2::bigint, 'the job calls again until nothing is due');
drop trigger send_one on net.calls;
delete from net.calls;
update interlock.deliveries d
set state = 'pending', ended_at = null, lease = null, lease_until = null, next_attempt_at = now() + interval '1 minute';
update interlock.delivery_cursor set seen = interlock.committed_snapshot();
select interlock.call_deliver();
select isnt_empty('select from net.calls', 'an event of which no deliveries are made is due');
delete from net.calls;
update interlock.webhook_endpoints set active = false;
update interlock.deliveries d set next_attempt_at = now();
select interlock.call_deliver();
select is_empty('select from net.calls', 'unless nobody listens');

-- Somebody has left a transaction open, since which much has happened: what was seen of it is not read again.
update interlock.webhook_endpoints set active = true;
update interlock.deliveries d set next_attempt_at = now() + interval '1 minute';
do $$
begin
  perform interlock.note_event('tap.much', 'x', '{}') from generate_series(1, 3000);
end
$$;
analyze interlock.outbox;
update interlock.delivery_cursor
set
  seen = format('%s:%s:%1$s', pg_current_xact_id()::text::bigint - 1, pg_current_xact_id()::text::bigint + 1)::pg_snapshot,
  target = null,
  position = 0;
create function pg_temp.read()
returns bigint
language sql
as $$
  select t.seq_tup_read + t.idx_tup_fetch from pg_stat_xact_user_tables t where t.relid = 'interlock.outbox'::regclass
$$;
create temporary table read_before as select pg_temp.read() as tuples;
select is(d::text, '(,)', 'all that happened under it was seen') from interlock.deliveries_due() d;
select is(interlock.make_deliveries(100), 0, 'and there is nothing to make of it');
create function pg_temp.waiting()
returns bigint
language sql
as $$
  select q.waiting from interlock.queues q where q.queue = 'events'
$$;
select is(pg_temp.waiting(), 0::bigint, 'and none waits');
select cmp_ok(pg_temp.read() - tuples, '<', 100::bigint, 'which is known without reading it again') from read_before;
insert into interlock.outbox (type, subject, payload, transaction)
values ('tap.late', 'x', '{}', (pg_current_xact_id()::text::bigint - 1)::text::xid8);
select is(pg_temp.waiting(), 1::bigint, 'what the open one has written waits when it commits, and nothing beside it');

-- And what was not seen is counted once, whichever way it is new.
create temporary table written as
select count(*) + 1 as events from interlock.events e where e.transaction = pg_current_xact_id();
update interlock.delivery_cursor
set seen = format('%s:%s:%1$s,%3$s', x - 1, x + 1, x)::pg_snapshot
from (select pg_current_xact_id()::text::bigint as x) own;
select is(pg_temp.waiting(), events, 'what was open, too, waits') from written;
update interlock.delivery_cursor
set seen = format('%s:%s:%1$s', x - 1, x)::pg_snapshot
from (select pg_current_xact_id()::text::bigint as x) own;
select is(pg_temp.waiting(), events, 'and what began afterwards') from written;
update interlock.webhook_endpoints set active = false;
select is(pg_temp.waiting(), 0::bigint, 'but not where nobody listens');

select * from finish();
rollback;
