-- What public.assign_batch answers, and what it leaves behind: the shop gives a batch to a driver, whoever has it.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(34);

insert into auth.users (id, aud, role, email)
select ('7a000000-0000-4000-8000-00000000000' || n)::uuid, 'authenticated', 'authenticated', format('tap-%s@example.com', n)
from generate_series(1, 4) as n;
insert into interlock.drivers (user_id, active)
select ('7a000000-0000-4000-8000-00000000000' || n)::uuid, n <> 3 from generate_series(1, 3) as n;
delete from interlock.batches;
insert into interlock.batches (id)
select ('7b000000-0000-4000-8000-00000000000' || n)::uuid from generate_series(1, 4) as n;

create function pg_temp.batch(p_n int)
returns uuid
language sql
as $$
  select ('7b000000-0000-4000-8000-00000000000' || p_n)::uuid
$$;

create function pg_temp.driver(p_name text)
returns uuid
language sql
as $$
  select case p_name
    when 'ann' then '7a000000-0000-4000-8000-000000000001'::uuid
    when 'bob' then '7a000000-0000-4000-8000-000000000002'
    when 'inactive' then '7a000000-0000-4000-8000-000000000003'
    when 'clerk' then '7a000000-0000-4000-8000-000000000004'
    when 'nobody' then '7a000000-0000-4000-8000-0000000000ff'
  end
$$;

-- Makes the transaction that of a caller.
create function pg_temp.become(p_who text)
returns void
language plpgsql
as $$
begin
  perform set_config('request.jwt.claims', (case
    when p_who = 'shop' then '{"role": "service_role"}'
    when p_who = 'anon' then '{"role": "anon"}'
    else jsonb_build_object('role', 'authenticated', 'sub', pg_temp.driver(p_who),
      'app_metadata', case p_who when 'clerk' then '{"role": "staff"}'::jsonb else '{}' end)
  end)::text, true);
  perform set_config(
    'role', case p_who when 'shop' then 'service_role' when 'anon' then 'authenticated' else 'authenticated' end, true
  );
end
$$;

-- The answer's batch, or code and details of the error.
create function pg_temp.assign(p_who text, p_n int, p_driver text, p_reason text default null)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  perform pg_temp.become(p_who);
  v_answer := public.assign_batch(pg_temp.batch(p_n), pg_temp.driver(p_driver), p_reason);
  reset role;
  return v_answer -> 'batch';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('error', sqlerrm, 'details', nullif(v_detail, '')::jsonb - 'message');
end
$$;

create function pg_temp.call(p_who text, p_n int, p_action text default 'claim')
returns text
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  perform pg_temp.become(p_who);
  v_answer := public.claim_route(pg_temp.batch(p_n), p_action);
  reset role;
  return v_answer #>> '{batch,status}';
exception
  when others then
    return sqlerrm;
end
$$;

-- Who has it, in which status, until when.
create function pg_temp.state(p_n int)
returns text
language sql
as $$
  select concat_ws(' ', b.status, right(b.driver_id::text, 1), b.lease_expires_at - now(), b.started_at - now())
  from interlock.batches b where b.id = pg_temp.batch(p_n)
$$;

-- Event, driver, actor, reason.
create function pg_temp.history(p_n int)
returns text
language sql
as $$
  select string_agg(
    concat_ws(' ', e.event, right(e.driver_id::text, 1), 'by ' || right(e.actor_id::text, 1), e.reason, 'v' || e.version),
    ', ' order by e.id
  )
  from interlock.batch_events e
  where e.batch_id = pg_temp.batch(p_n) and e.event <> 'created'
$$;

-- Who may, and with what -------------------------------------------------------

select is(pg_temp.assign('ann', 1, 'ann') ->> 'error', 'FORBIDDEN', 'a driver assigns nothing');
select is(pg_temp.assign('anon', 1, 'ann') ->> 'error', 'UNAUTHENTICATED', 'nor does who is nobody');
select is(
  pg_temp.assign('shop', 1, null, repeat('x', 201)),
  '{"error": "VALIDATION_FAILED", "details": {"problems": [
    {"pointer": "/p_driver_user_id", "message": "is required"},
    {"pointer": "/p_reason", "message": "must be 1 to 200 characters"}]}}',
  'all problems are named together'
);
select is(
  pg_temp.assign('shop', null, 'ann', '') #> '{details,problems}',
  '[{"pointer": "/p_batch_id", "message": "is required"}, {"pointer": "/p_reason", "message": "must be 1 to 200 characters"}]',
  'each of them'
);
select is(
  pg_temp.assign('shop', 1, d.name),
  jsonb_build_object('error', 'DRIVER_NOT_FOUND', 'details', jsonb_build_object('driver_user_id', pg_temp.driver(d.name))),
  d.name || ' is no active driver'
)
from unnest(array['inactive', 'clerk', 'nobody']) as d (name);
select is(
  pg_temp.assign('shop', 9, 'ann'),
  jsonb_build_object('error', 'BATCH_NOT_FOUND', 'details', jsonb_build_object('batch_id', pg_temp.batch(9))),
  'a batch must exist'
);
select is(pg_temp.history(1), null, 'refusals leave nothing behind');

-- A free batch -----------------------------------------------------------------

select is(
  pg_temp.assign('shop', 1, 'ann', repeat('x', 200)) - array['created_at', 'priority', 'reference'],
  jsonb_build_object(
    'id', pg_temp.batch(1), 'status', 'claimed', 'driver_id', pg_temp.driver('ann'), 'claimed_at', now(),
    'lease_expires_at', now() + interval '15 minutes', 'started_at', null, 'completed_at', null, 'version', 2
  ),
  'a free batch is given to a driver, who has a lease as if they had claimed it'
);
select is(pg_temp.history(1), format('assigned 1 %s v2', repeat('x', 200)), 'which the history says');
select is(pg_temp.assign('shop', 1, 'ann') ->> 'version', '2', 'the same again is success, with nothing changed');
select is(pg_temp.call('ann', 1, 'start'), 'in_progress', 'they go on with it');
select is(pg_temp.assign('shop', 1, 'ann', 'again') ->> 'status', 'in_progress', 'a driver who is on the road stays so');

-- From one to another ------------------------------------------------------------

select is(pg_temp.assign('clerk', 1, 'bob', 'flat tyre') ->> 'status', 'claimed', 'staff give it to another driver');
select is(pg_temp.state(1), 'claimed 2 00:15:00', 'who begins anew, with a lease of their own');
select is(
  substr(pg_temp.history(1), 213),
  'v2, started 1 by 1 v3, released 1 by 4 flat tyre v4, assigned 2 by 4 flat tyre v4',
  'the history says from whom, to whom, by whom and why'
);
select is(pg_temp.call('ann', 1, 'complete'), 'BATCH_NOT_HELD', 'who had it cannot complete it any more');
select is(pg_temp.call('ann', 2), 'claimed', 'and is free for another one');
select is(
  pg_temp.assign('shop', 1, 'ann') ->> 'error', 'DRIVER_BUSY', 'a driver who holds another batch gets none'
);
select is(
  pg_temp.assign('shop', 1, 'ann') #>> '{details,batch_id}', pg_temp.batch(2)::text, 'and it is said which they hold'
);
select throws_ok(
  format('update interlock.batches set driver_id = %L where id = %L', pg_temp.driver('inactive'), pg_temp.batch(1)),
  '23514', null, 'an update of the shop''s own hands over no live lease, in the same transaction either'
);
select is(
  (select string_agg(coalesce(nullif(current_setting(name, true), ''), 'empty'), ' ')
   from unnest(array['interlock.assigned_batch', 'interlock.assignment_reason']) as name),
  'empty empty', 'nothing of an assignment is left set'
);
select set_config('request.jwt.claims', '', true);
update interlock.batches set status = 'available' where id = pg_temp.batch(2);
update interlock.batches set status = 'claimed', driver_id = pg_temp.driver('ann') where id = pg_temp.batch(2);
select is(
  pg_temp.history(2), 'claimed 1 by 1 v2, released 1 v3, claimed 1 v4', 'what the shop does by its own SQL has no actor'
);

-- Leases that are over -----------------------------------------------------------

update interlock.batches set lease_expires_at = now() - interval '1 second' where id = pg_temp.batch(2);
select is(pg_temp.assign('shop', 3, 'ann', 'near') ->> 'driver_id', pg_temp.driver('ann')::text, 'a stale batch hinders nobody');
select is(pg_temp.state(2), 'available', 'it is given back');
select is(
  split_part(pg_temp.history(2), ', ', 4) || ', ' || split_part(pg_temp.history(2), ', ', 5), 'shortened 1 v5, expired 1 v6', 'without the reason of the other one'
);
update interlock.batches set lease_expires_at = now() - interval '1 second' where id = pg_temp.batch(3);
select is(pg_temp.assign('shop', 3, 'ann', 'more time') ->> 'status', 'claimed', 'the same driver gets it once more');
select is(
  pg_temp.history(3), 'assigned 1 near v2, shortened 1 v3, expired 1 more time v4, assigned 1 more time v4', 'with a new lease'
);
select pg_temp.call('ann', 3, 'start');
update interlock.batches set started_at = now() - interval '5 hours', lease_expires_at = now() - interval '1 hour'
where id = pg_temp.batch(3);
select is(pg_temp.assign('shop', 3, 'ann') ->> 'status', 'in_progress', 'also while they are on the road');
select is(pg_temp.state(3), 'in_progress 1 04:00:00 -05:00:00', 'since they started, with the longer lease');

-- The end ------------------------------------------------------------------------

update interlock.batches set status = 'completed' where id = pg_temp.batch(3);
update interlock.batches set status = 'cancelled' where id = pg_temp.batch(2);
select is(
  pg_temp.assign('shop', b.n, 'ann'),
  jsonb_build_object('error', 'BATCH_FINISHED', 'details', jsonb_build_object(
    'batch_id', pg_temp.batch(b.n), 'status', b.status, 'lease_expires_at', null)),
  b.status || ' is final'
)
from (values (2, 'cancelled'), (3, 'completed')) as b (n, status);

-- Something other than our functions gives ann batch 4 while she is assigned batch 1.
create function pg_temp.interfere()
returns trigger
language plpgsql
as $$
begin
  update interlock.batches set status = 'claimed', driver_id = new.driver_id where id = pg_temp.batch(4);
  return new;
end
$$;
create trigger interfere
  before update on interlock.batches
  for each row
  when (new.id = '7b000000-0000-4000-8000-000000000001')
  execute function pg_temp.interfere();
select is(
  pg_temp.assign('shop', 1, 'ann') ->> 'error', 'DRIVER_BUSY', 'a violation of batches_one_active_per_driver is DRIVER_BUSY'
);

select * from finish();
rollback;
