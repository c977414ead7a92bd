-- What public.claim_route answers, and what it leaves behind. Time does not pass inside
-- a transaction, so leases are aged by moving their end.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(98);

-- Cast --------------------------------------------------------------------

insert into auth.users (id, aud, role, email)
values
  ('7a000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com'),
  ('7a000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-bob@example.com'),
  ('7a000000-0000-4000-8000-000000000003', 'authenticated', 'authenticated', 'tap-inactive@example.com'),
  ('7a000000-0000-4000-8000-000000000004', 'authenticated', 'authenticated', 'tap-nobody@example.com');

delete from interlock.batches;

insert into interlock.drivers (user_id, active)
values
  ('7a000000-0000-4000-8000-000000000001', true),
  ('7a000000-0000-4000-8000-000000000002', true),
  ('7a000000-0000-4000-8000-000000000003', false);

update interlock.settings set claim_lease = '15 minutes';

create temporary table cast_of (name text primary key, id uuid);
insert into cast_of
values
  ('ann', '7a000000-0000-4000-8000-000000000001'),
  ('bob', '7a000000-0000-4000-8000-000000000002'),
  ('inactive', '7a000000-0000-4000-8000-000000000003'),
  ('nobody', '7a000000-0000-4000-8000-000000000004'),
  ('nameless', null);

-- Batch n. Every section begins with the batches it names, all available.
create function pg_temp.batch(p_n int)
returns uuid
language sql
as $$
  select ('7b000000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid
$$;

create function pg_temp.fresh_batches(p_count int)
returns void
language sql
as $$
  delete from interlock.batches;
  insert into interlock.batches (id, created_at)
  select pg_temp.batch(n), now() - interval '1 hour' + n * interval '1 second'
  from generate_series(1, p_count) n;
$$;

-- Calls the RPC as a signed-in user. The answer is the body, or the error as an object.
create function pg_temp.call(
  p_who text,
  p_batch_id uuid default null,
  p_action text default 'claim',
  p_key text default null
)
returns jsonb
language plpgsql
as $$
declare
  v_id uuid;
  v_answer jsonb;
  v_state text;
  v_message text;
  v_detail text;
  v_hint text;
begin
  select id into strict v_id from cast_of where name = p_who;
  perform set_config(
    'request.jwt.claims',
    jsonb_strip_nulls(jsonb_build_object('role', 'authenticated', 'sub', v_id))::text,
    true
  );
  set local role authenticated;
  v_answer := public.claim_route(p_batch_id, p_action, p_key);
  reset role;
  return v_answer;
exception
  when others then
    get stacked diagnostics
      v_state = returned_sqlstate,
      v_message = message_text,
      v_detail = pg_exception_detail,
      v_hint = pg_exception_hint;
    return jsonb_build_object(
      'sqlstate', v_state,
      'message', v_message,
      'detail', nullif(nullif(v_detail, '')::jsonb - 'message' - 'retryable', '{}'),
      'has_hint', v_hint <> ''
    );
end
$$;

-- A call of the set-up, which must succeed.
create function pg_temp.given(p_who text, p_n int, p_action text default 'claim')
returns void
language plpgsql
as $$
declare
  v_answer constant jsonb := pg_temp.call(p_who, pg_temp.batch(p_n), p_action);
begin
  assert v_answer ? 'success', v_answer;
end
$$;

-- The error a call is expected to answer with.
create function pg_temp.refusal(p_sqlstate text, p_message text, p_detail jsonb default null)
returns jsonb
language sql
as $$
  select jsonb_build_object('sqlstate', p_sqlstate, 'message', p_message, 'detail', p_detail, 'has_hint', true)
$$;

-- The state of a batch as a refusal tells it.
create function pg_temp.state(p_n int)
returns jsonb
language sql
as $$
  select jsonb_build_object('batch_id', id, 'status', status, 'lease_expires_at', lease_expires_at)
  from interlock.batches
  where id = pg_temp.batch(p_n)
$$;

create function pg_temp.age(p_n int)
returns void
language sql
as $$
  update interlock.batches
  set lease_expires_at = now() - interval '1 second'
  where id = pg_temp.batch(p_n);
$$;

-- The history of a batch: `event by whom`, without what set-up leaves behind.
create function pg_temp.history(p_n int)
returns text
language sql
as $$
  select coalesce(string_agg(concat_ws(' ', e.event, c.name), ', ' order by e.id), '')
  from interlock.batch_events e
  left join cast_of c on c.id = e.driver_id
  where e.batch_id = pg_temp.batch(p_n)
    and e.event not in ('created', 'deleted', 'shortened')
    and e.id > coalesce(
      (select max(d.id) from interlock.batch_events d where d.batch_id = e.batch_id and d.event = 'deleted'),
      0
    )
$$;

create function pg_temp.row_of(p_n int)
returns text
language sql
as $$
  select b::text from interlock.batches b where b.id = pg_temp.batch(p_n)
$$;

set local timezone = 'UTC';

-- Who is calling ----------------------------------------------------------

select pg_temp.fresh_batches(1);

select is(pg_temp.call('nameless'), pg_temp.refusal('PT401', 'UNAUTHENTICATED'), 'a call without a user is UNAUTHENTICATED');
select is(pg_temp.call('nobody'), pg_temp.refusal('PT403', 'NOT_A_DRIVER'), 'a user who is no driver is NOT_A_DRIVER');
select is(pg_temp.call('inactive'), pg_temp.refusal('PT403', 'NOT_A_DRIVER'), 'an inactive driver is NOT_A_DRIVER');
select is(pg_temp.history(1), '', 'nobody claimed anything');

-- Arguments ---------------------------------------------------------------

select is(
  pg_temp.call('ann', pg_temp.batch(1), 'steal'),
  pg_temp.refusal('PT400', 'VALIDATION_FAILED', '{"problems": [{"pointer": "/action",
    "message": "must be one of claim, renew, release, start, complete"}]}'),
  'an unknown action is VALIDATION_FAILED'
);
select is(
  pg_temp.call('ann', null, a.action),
  pg_temp.refusal('PT400', 'VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
    jsonb_build_object('pointer', '/batch_id', 'message', 'is required for the action ' || a.action)
  ))),
  format('%s without a batch id is VALIDATION_FAILED', a.action)
)
from unnest(array['renew', 'release', 'start', 'complete']) as a (action);
select is(
  pg_temp.call('ann', pg_temp.batch(99), a.action),
  pg_temp.refusal('PT404', 'BATCH_NOT_FOUND', jsonb_build_object('batch_id', pg_temp.batch(99))),
  format('%s of a batch that does not exist is BATCH_NOT_FOUND', a.action)
)
from unnest(array['claim', 'renew', 'release', 'start', 'complete']) as a (action);

-- Claim the given batch ---------------------------------------------------

select pg_temp.fresh_batches(3);
update interlock.batches set priority = 7, reference = 'north' where id = pg_temp.batch(1);

create temporary table answers (name text primary key, answer jsonb);
insert into answers values ('claim', pg_temp.call('ann', pg_temp.batch(1)));

select is(
  (select answer from answers where name = 'claim'),
  jsonb_build_object('success', true, 'batch', jsonb_build_object(
    'id', pg_temp.batch(1),
    'status', 'claimed',
    'driver_id', '7a000000-0000-4000-8000-000000000001',
    'claimed_at', now(),
    'lease_expires_at', now() + interval '15 minutes',
    'started_at', null,
    'completed_at', null,
    'priority', 7,
    'version', 3,
    'reference', 'north',
    'created_at', now() - interval '1 hour' + interval '1 second'
  )),
  'a claim answers with the whole batch'
);
select is(
  pg_temp.row_of(1),
  (select jsonb_populate_record(null::interlock.batches, answer -> 'batch' || jsonb_build_object('shop_id', interlock.shop_id()))::text
    from answers where name = 'claim'),
  'the answer is what the table holds'
);
select is(
  pg_temp.call('ann', pg_temp.batch(1)),
  (select answer from answers where name = 'claim'),
  'claiming what one holds already is success, with nothing changed'
);
select is(
  pg_temp.call('ann', pg_temp.batch(1), null),
  (select answer from answers where name = 'claim'),
  'no action means claim'
);
select is(pg_temp.history(1), 'claimed ann', 'one successful claim is one event');
select is(
  pg_temp.call('bob', pg_temp.batch(1)),
  pg_temp.refusal('PT409', 'BATCH_UNAVAILABLE', pg_temp.state(1)),
  'a batch somebody else holds is BATCH_UNAVAILABLE'
);
select unalike(
  pg_temp.call('bob', pg_temp.batch(1))::text,
  '%7a000000-0000-4000-8000-000000000001%',
  'the loser is not told who holds it'
);
select is(
  pg_temp.row_of(1),
  (select jsonb_populate_record(null::interlock.batches, answer -> 'batch' || jsonb_build_object('shop_id', interlock.shop_id()))::text
    from answers where name = 'claim'),
  'refusals changed nothing'
);
select is(
  pg_temp.call('ann', pg_temp.batch(2)),
  pg_temp.refusal('PT409', 'DRIVER_BUSY', pg_temp.state(1)),
  'a driver with a live lease is DRIVER_BUSY'
);
select is(
  pg_temp.call('ann'),
  pg_temp.refusal('PT409', 'DRIVER_BUSY', pg_temp.state(1)),
  'also for the next batch'
);
select is(pg_temp.history(2), '', 'a busy driver claimed nothing');

update interlock.batches set status = 'cancelled' where id = pg_temp.batch(3);
select is(
  pg_temp.call('bob', pg_temp.batch(3)),
  pg_temp.refusal('PT409', 'BATCH_UNAVAILABLE', pg_temp.state(3)),
  'a cancelled batch is BATCH_UNAVAILABLE'
);

-- Leases that are over ----------------------------------------------------

select pg_temp.fresh_batches(2);
select pg_temp.given('ann', 1);
select pg_temp.age(1);
select is(
  pg_temp.call('bob', pg_temp.batch(1)) #>> '{batch,driver_id}',
  '7a000000-0000-4000-8000-000000000002',
  'anybody may claim a batch whose lease is over'
);
select is(pg_temp.history(1), 'claimed ann, expired ann, claimed bob', 'the former holder lost it, the new one claimed it');
select is(
  pg_temp.call('ann', pg_temp.batch(1), 'complete'),
  pg_temp.refusal('PT409', 'BATCH_NOT_HELD', jsonb_build_object('batch_id', pg_temp.batch(1), 'status', 'claimed')),
  'the former holder cannot complete it any more'
);
select is(pg_temp.call('ann', pg_temp.batch(2)) #>> '{batch,status}', 'claimed', 'and is free to claim another one');

select pg_temp.fresh_batches(1);
select pg_temp.given('ann', 1);
select pg_temp.given('ann', 1, 'start');
update interlock.batches set started_at = now() - interval '3 hours' where id = pg_temp.batch(1);
select pg_temp.age(1);
select is(
  (pg_temp.call('ann', pg_temp.batch(1)) -> 'batch') - 'version',
  jsonb_build_object(
    'id', pg_temp.batch(1), 'status', 'in_progress', 'driver_id', '7a000000-0000-4000-8000-000000000001',
    'claimed_at', now(), 'lease_expires_at', now() + interval '4 hours', 'started_at', now() - interval '3 hours',
    'completed_at', null, 'priority', 0, 'reference', null,
    'created_at', now() - interval '1 hour' + interval '1 second'
  ),
  'the former holder may claim it again, and is on the road since they started'
);
select is(pg_temp.history(1), 'claimed ann, started ann, expired ann, claimed ann', 'that is a new claim');
select pg_temp.age(1);
select is(
  (select row(answer #>> '{batch,status}', answer #>> '{batch,started_at}')::text
   from pg_temp.call('bob', pg_temp.batch(1)) as answer),
  '(claimed,)', 'another driver begins anew'
);

select pg_temp.fresh_batches(2);
select pg_temp.given('ann', 1);
select pg_temp.given('bob', 2);
select pg_temp.given('bob', 2, 'start');
select pg_temp.age(1);
select pg_temp.age(2);
select is(
  pg_temp.call('ann', pg_temp.batch(1), 'complete') #>> '{batch,status}', 'completed',
  'what nobody else has taken can be completed late'
);
select is(pg_temp.history(1), 'claimed ann, completed ann', 'by the driver who has it');
select is(
  pg_temp.call('ann', pg_temp.batch(2), 'complete') ->> 'message', 'BATCH_NOT_HELD', 'and by nobody else'
);
select is(
  pg_temp.call('bob', pg_temp.batch(2), 'complete') #>> '{batch,status}', 'completed', 'also one that was started'
);

select pg_temp.fresh_batches(2);
select pg_temp.given('ann', 1);
select pg_temp.age(1);
select is(
  pg_temp.call('ann', pg_temp.batch(2)) #>> '{batch,status}',
  'claimed',
  'a lease that is over does not stop its driver from claiming another batch'
);
select is(
  (select row(b.status, b.driver_id)::text from interlock.batches b where b.id = pg_temp.batch(1)),
  '(available,)',
  'the stale batch is available again'
);
select is(pg_temp.history(1), 'claimed ann, expired ann', 'and its history says why');

select pg_temp.fresh_batches(2);
select pg_temp.given('ann', 1);
select pg_temp.given('bob', 2);
select pg_temp.age(1);
select is(
  pg_temp.call('ann', pg_temp.batch(2)),
  pg_temp.refusal('PT409', 'BATCH_UNAVAILABLE', pg_temp.state(2)),
  'a refused claim of another batch'
);
select is(pg_temp.history(1), 'claimed ann', 'does not give the stale one back');

-- The next batch ----------------------------------------------------------

select pg_temp.fresh_batches(5);
update interlock.batches set priority = 5 where id in (pg_temp.batch(3), pg_temp.batch(4));
update interlock.batches set status = 'cancelled' where id = pg_temp.batch(5);

create function pg_temp.next_of(p_who text)
returns text
language sql
as $$
  select coalesce(right(answer #>> '{batch,id}', 1), answer ->> 'message')
  from pg_temp.call(p_who) as answer
$$;

-- Claims and completes until nothing is left; the order in which batches came.
create function pg_temp.drain(p_who text)
returns text
language plpgsql
as $$
declare
  v_order text := '';
  v_next text;
begin
  loop
    v_next := pg_temp.next_of(p_who);
    v_order := concat_ws(' ', nullif(v_order, ''), v_next);
    exit when length(v_next) > 1;
    perform pg_temp.call(p_who, pg_temp.batch(v_next::int), 'complete');
  end loop;
  return v_order;
end
$$;

select is(pg_temp.drain('ann'), '3 4 1 2 NO_BATCH_AVAILABLE', 'the next batch comes by priority, then age, until there is none');
select is(pg_temp.call('ann'), pg_temp.refusal('PT409', 'NO_BATCH_AVAILABLE'), 'nothing left is NO_BATCH_AVAILABLE');

-- Bob lets one lease pass. It queues with the others by its own priority and age.
select pg_temp.fresh_batches(4);
select pg_temp.given('bob', 2);
select pg_temp.age(2);
select is(pg_temp.drain('ann'), '1 2 3 4 NO_BATCH_AVAILABLE', 'a lease that is over queues with the available ones, by age');

select pg_temp.fresh_batches(4);
update interlock.batches set priority = 1 where id = pg_temp.batch(4);
select pg_temp.given('bob', 4);
select pg_temp.given('bob', 4, 'start');
select pg_temp.age(4);
select is(pg_temp.drain('ann'), '4 1 2 3 NO_BATCH_AVAILABLE', 'and by priority, also in progress');

select pg_temp.fresh_batches(4);
update interlock.batches set priority = -1 where id = pg_temp.batch(1);
select pg_temp.given('bob', 1);
select pg_temp.age(1);
select is(pg_temp.drain('ann'), '2 3 4 1 NO_BATCH_AVAILABLE', 'and last if it is the least urgent');

select pg_temp.fresh_batches(2);
select pg_temp.given('bob', 1);
select is(pg_temp.drain('ann'), '2 NO_BATCH_AVAILABLE', 'a live lease is not in the queue');

select pg_temp.fresh_batches(3);
select pg_temp.given('ann', 3);
select pg_temp.age(3);
select is(pg_temp.next_of('ann'), '3', 'a driver''s own batch comes first if its lease is over');
select is(pg_temp.history(3), 'claimed ann, expired ann, claimed ann', 'that is a new claim');

select pg_temp.fresh_batches(3);
select pg_temp.given('ann', 3);
select pg_temp.age(3);
select pg_temp.given('bob', 3);
select is(pg_temp.next_of('ann'), '1', 'unless somebody else has claimed it since');

-- Renew, start, release, complete -----------------------------------------

select pg_temp.fresh_batches(1);
select pg_temp.given('ann', 1);

update interlock.batches set lease_expires_at = now() + interval '1 day' where id = pg_temp.batch(1);
select is(
  pg_temp.call('ann', pg_temp.batch(1), 'renew') #> '{batch,lease_expires_at}',
  to_jsonb(now() + interval '1 day'),
  'renew never makes a lease shorter'
);

select pg_temp.fresh_batches(2);
select pg_temp.given('ann', 1);

update interlock.batches set lease_expires_at = now() + interval '1 second' where id = pg_temp.batch(1);
update interlock.settings set claim_lease = '20 minutes', started_lease = '6 hours';
select is(
  pg_temp.call('ann', pg_temp.batch(1), 'renew') #> '{batch,lease_expires_at}',
  to_jsonb(now() + interval '20 minutes'),
  'renew makes the lease last as long as the setting says, from now'
);
update interlock.settings set claim_lease = '15 minutes', started_lease = '4 hours';
select is(pg_temp.history(1), 'claimed ann, renewed ann', 'a renewal is an event');

update interlock.batches set lease_expires_at = now() + interval '1 second' where id = pg_temp.batch(1);
insert into answers values ('start', pg_temp.call('ann', pg_temp.batch(1), 'start'));
select is(
  (select (answer -> 'batch') - array['id', 'created_at', 'priority', 'reference', 'version']
   from answers where name = 'start'),
  jsonb_build_object(
    'status', 'in_progress', 'driver_id', '7a000000-0000-4000-8000-000000000001', 'claimed_at', now(),
    'started_at', now(), 'completed_at', null, 'lease_expires_at', now() + interval '4 hours'
  ),
  'start puts the batch in progress and extends the lease'
);
select is(
  pg_temp.call('ann', pg_temp.batch(1), 'start'),
  (select answer from answers where name = 'start'),
  'starting again is success, with nothing changed'
);
select is(
  pg_temp.call('ann', pg_temp.batch(1)),
  (select answer from answers where name = 'start'),
  'claiming a batch one has started is success, with nothing changed'
);

update interlock.settings set started_lease = '5 hours';
select is(
  pg_temp.call('ann', pg_temp.batch(1), 'renew') #> '{batch,lease_expires_at}', to_jsonb(now() + interval '5 hours'),
  'a started batch is renewed by its own lease'
);
update interlock.settings set started_lease = '4 hours';

insert into answers values ('complete', pg_temp.call('ann', pg_temp.batch(1), 'complete'));
select is(
  (select (answer -> 'batch') - array['id', 'claimed_at', 'created_at', 'priority', 'reference', 'version']
   from answers where name = 'complete'),
  jsonb_build_object(
    'status', 'completed', 'driver_id', '7a000000-0000-4000-8000-000000000001',
    'started_at', now(), 'completed_at', now(), 'lease_expires_at', null
  ),
  'complete keeps the driver and ends the lease'
);
select is(
  pg_temp.call('ann', pg_temp.batch(1), 'complete'),
  (select answer from answers where name = 'complete'),
  'completing again is success, with nothing changed'
);
select is(pg_temp.history(1), 'claimed ann, renewed ann, started ann, renewed ann, completed ann', 'each step left one event');
select is(
  pg_temp.call('ann', pg_temp.batch(1)),
  pg_temp.refusal('PT409', 'BATCH_UNAVAILABLE', pg_temp.state(1)),
  'a completed batch is BATCH_UNAVAILABLE, also to who completed it'
);
select is(
  pg_temp.call('bob', pg_temp.batch(1), 'complete'),
  pg_temp.refusal('PT409', 'BATCH_NOT_HELD', jsonb_build_object('batch_id', pg_temp.batch(1), 'status', 'completed')),
  'somebody else''s completed batch is BATCH_NOT_HELD'
);

select pg_temp.given('ann', 2);
select is(
  pg_temp.call('ann', pg_temp.batch(2), 'complete') #>> '{batch,status}',
  'completed',
  'a claimed batch may be completed without a start'
);

select pg_temp.fresh_batches(2);
select pg_temp.given('ann', 1);
select is(
  (pg_temp.call('ann', pg_temp.batch(1), 'release') -> 'batch')
    - array['id', 'created_at', 'priority', 'reference', 'version'],
  '{"status": "available", "driver_id": null, "claimed_at": null, "lease_expires_at": null,
    "started_at": null, "completed_at": null}',
  'release makes the batch available'
);
select is(pg_temp.history(1), 'claimed ann, released ann', 'a release is an event of who held it');
select is(pg_temp.call('bob', pg_temp.batch(1)) ->> 'success', 'true', 'anybody may claim it then');

-- Acting on what one does not hold ----------------------------------------

create temporary table before_refusals as select pg_temp.row_of(1) as batch_1, pg_temp.row_of(2) as batch_2;

select is(
  pg_temp.call('ann', pg_temp.batch(b.n), a.action),
  pg_temp.refusal('PT409', 'BATCH_NOT_HELD', jsonb_build_object('batch_id', pg_temp.batch(b.n), 'status', b.status)),
  format('%s of a batch that is %s, not by the caller, is BATCH_NOT_HELD', a.action, b.status)
)
from unnest(array['renew', 'release', 'start', 'complete']) as a (action)
cross join (values (1, 'claimed'), (2, 'available')) as b (n, status);

select pg_temp.age(1);
update before_refusals set batch_1 = pg_temp.row_of(1);

select is(
  pg_temp.call('bob', pg_temp.batch(1), a.action),
  pg_temp.refusal('PT409', 'LEASE_EXPIRED', pg_temp.state(1)),
  format('%s after the lease is over is LEASE_EXPIRED', a.action)
)
from unnest(array['renew', 'release', 'start']) as a (action);

select is(
  row(pg_temp.row_of(1), pg_temp.row_of(2))::text,
  (select before_refusals::text from before_refusals),
  'refusals changed nothing'
);

-- A lease is over at its very end.
update interlock.batches set lease_expires_at = now() where id = pg_temp.batch(1);
select is(
  pg_temp.call('bob', pg_temp.batch(1), 'renew') ->> 'message',
  'LEASE_EXPIRED',
  'at its very end a lease is over for its holder'
);
select is(
  pg_temp.call('ann', pg_temp.batch(1)) #>> '{batch,driver_id}',
  '7a000000-0000-4000-8000-000000000001',
  'and claimable for everybody else'
);

-- The constraint behind it all --------------------------------------------

-- Something other than claim_route gives ann batch 2 while she claims batch 1.
select pg_temp.fresh_batches(2);
create function pg_temp.interfere()
returns trigger
language plpgsql
as $$
begin
  update interlock.batches set status = 'claimed', driver_id = new.driver_id where id = pg_temp.batch(2);
  return new;
end
$$;
create trigger interfere
  before update on interlock.batches
  for each row
  when (new.id = '7b000000-0000-4000-8000-000000000001')
  execute function pg_temp.interfere();

select is(
  pg_temp.call('ann', pg_temp.batch(1)) - 'detail',
  pg_temp.refusal('PT409', 'DRIVER_BUSY') - 'detail',
  'a violation of batches_one_active_per_driver is DRIVER_BUSY'
);
drop trigger interfere on interlock.batches;
select is(
  (select count(*)::int from interlock.batches where driver_id = '7a000000-0000-4000-8000-000000000001'),
  0,
  'and leaves nothing behind'
);

-- Idempotency keys --------------------------------------------------------

select pg_temp.fresh_batches(2);
create temporary table keyed_answers (name text primary key, answer jsonb);

insert into keyed_answers values ('claim', pg_temp.call('ann', null, 'claim', 'key-1'));
insert into keyed_answers values ('start', pg_temp.call('ann', pg_temp.batch(1), 'start', 'key-2'));
insert into keyed_answers values ('complete', pg_temp.call('ann', pg_temp.batch(1), 'complete', 'key-3'));
select is(
  coalesce(current_setting('response.headers', true), ''), '', 'a first answer is not marked as a replay'
);

select is(pg_temp.call('ann', null, 'claim', 'key-1'), (select answer from keyed_answers where name = 'claim'), 'a claim is replayed');
select is(
  current_setting('response.headers')::jsonb,
  '[{"Idempotent-Replayed": "true"}]',
  'and the header says so'
);
select is(
  pg_temp.call('ann', pg_temp.batch(1), 'start', 'key-2'),
  (select answer from keyed_answers where name = 'start'),
  'a start is replayed, although the batch is completed by now'
);
select is(
  pg_temp.call('ann', pg_temp.batch(1), 'complete', 'key-3'),
  (select answer from keyed_answers where name = 'complete'),
  'a completion is replayed'
);
select is(pg_temp.history(1), 'claimed ann, started ann, completed ann', 'replays change nothing');

select is(
  pg_temp.call('ann', pg_temp.batch(2), 'claim', 'key-1'),
  pg_temp.refusal('PT422', 'IDEMPOTENCY_KEY_REUSED', '{"operation": "claim_route"}'),
  'another request under the same key is refused'
);
select is(
  pg_temp.call('bob', null, 'claim', 'key-1') -> 'batch' -> 'id',
  to_jsonb(pg_temp.batch(2)),
  'keys belong to their user'
);
select is(
  pg_temp.call('ann', pg_temp.batch(2), 'claim', 'key-4') ->> 'message',
  'BATCH_UNAVAILABLE',
  'a refused claim ...'
);
select is(
  (select count(*)::int from interlock.idempotency_keys where key = 'key-4'), 0, '... stores no key'
);
select pg_temp.given('bob', 2, 'release');
select is(
  pg_temp.call('ann', pg_temp.batch(2), 'claim', 'key-4') -> 'success',
  'true',
  'so the same request can succeed later'
);
select is(
  pg_temp.call('ann', pg_temp.batch(2), 'renew', repeat('k', 256)),
  pg_temp.refusal(
    'PT400',
    'VALIDATION_FAILED',
    '{"problems": [{"pointer": "/headers/idempotency-key", "message": "must be 1 to 255 printable ASCII characters"}]}'
  ),
  'a key of 256 characters is refused'
);
select is(
  pg_temp.call('ann', pg_temp.batch(2), 'renew', '') ->> 'message', 'VALIDATION_FAILED', 'an empty key is refused'
);
select is(
  pg_temp.call('ann', pg_temp.batch(2), 'renew', 'caf' || chr(233)) ->> 'message',
  'VALIDATION_FAILED',
  'a key that is not ASCII is refused'
);

-- The catalogue -----------------------------------------------------------

select throws_ok(
  $$ select interlock.raise_error('NO_SUCH_CODE') $$,
  'PT500',
  'INTERNAL',
  'a code that is not in the catalogue is INTERNAL'
);

select * from finish();
rollback;
