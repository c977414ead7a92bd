-- How the platform's scheduler calls the function deliver: by pg_net, with the vault's secret, and only if something is due.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(27);

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
  (select headers from net.calls), '{"content-type": "application/json", "x-deliver-secret": "the secret of the worker"}'::jsonb,
  'with the secret in the header that the function reads'
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
select is(interlock.deliveries_due_since(), now(), 'whichever may go first is due');
update interlock.webhook_endpoints set ordered = true;
select is(interlock.deliveries_due_since(), null, 'unless order is asked for, and the one before it waits');
update interlock.webhook_endpoints set ordered = false;
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
do $$
begin
  -- Its commits are not for a test.
  execute replace((select j.command from interlock.jobs() j where j.name = 'deliver'), 'commit;', '');
end
$$;
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
select is(interlock.deliveries_due_since(), null, 'all that happened under it was seen');
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
