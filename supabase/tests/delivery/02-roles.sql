-- Who may do what with delivery: every table and verb, and the functions, for each kind of caller.
-- A refusal is an error and leaves every row as it was.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(140);

-- Cast --------------------------------------------------------------------

insert into auth.users (id, aud, role, email)
values
  ('7a000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-driver@example.com'),
  ('7a000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-other@example.com'),
  ('7a000000-0000-4000-8000-000000000003', 'authenticated', 'authenticated', 'tap-inactive@example.com'),
  ('7a000000-0000-4000-8000-000000000004', 'authenticated', 'authenticated', 'tap-nobody@example.com');

delete from interlock.batches;
delete from interlock.drivers;

insert into interlock.drivers (user_id, active)
values
  ('7a000000-0000-4000-8000-000000000001', true),
  ('7a000000-0000-4000-8000-000000000002', true),
  ('7a000000-0000-4000-8000-000000000003', false);

insert into interlock.batches (id)
values
  ('7b000000-0000-4000-8000-000000000001'),
  ('7b000000-0000-4000-8000-000000000002'),
  ('7b000000-0000-4000-8000-000000000003'),
  ('7b000000-0000-4000-8000-000000000004');

-- 1 stays available, 2 is held by the driver, 3 was completed by the other driver, 4 is
-- held by the inactive one.
update interlock.batches set status = 'claimed', driver_id = '7a000000-0000-4000-8000-000000000001'
where id = '7b000000-0000-4000-8000-000000000002';
update interlock.batches set status = 'claimed', driver_id = '7a000000-0000-4000-8000-000000000002'
where id = '7b000000-0000-4000-8000-000000000003';
update interlock.batches set status = 'completed'
where id = '7b000000-0000-4000-8000-000000000003';
update interlock.batches set status = 'claimed', driver_id = '7a000000-0000-4000-8000-000000000003'
where id = '7b000000-0000-4000-8000-000000000004';

create temporary table callers (caller text primary key, role text, user_id uuid);
insert into callers
values
  ('anon', 'anon', null),
  ('nobody', 'authenticated', '7a000000-0000-4000-8000-000000000004'),
  ('inactive driver', 'authenticated', '7a000000-0000-4000-8000-000000000003'),
  ('driver', 'authenticated', '7a000000-0000-4000-8000-000000000001'),
  ('other driver', 'authenticated', '7a000000-0000-4000-8000-000000000002'),
  ('service', 'service_role', null);

-- Runs a statement as a caller. Answers the number of rows, or the SQLSTATE. What it did
-- is undone unless p_keep: a refusal that refuses nothing must leave a trace.
create function pg_temp.attempt(p_caller text, p_sql text, p_keep boolean)
returns text
language plpgsql
as $$
declare
  v_caller callers;
  v_rows bigint;
begin
  select * into strict v_caller from callers where caller = p_caller;
  perform set_config(
    'request.jwt.claims',
    jsonb_strip_nulls(jsonb_build_object('role', v_caller.role, 'sub', v_caller.user_id))::text,
    true
  );
  begin
    execute format('set local role %I', v_caller.role);
    execute p_sql;
    get diagnostics v_rows = row_count;
    reset role;
    if not p_keep then
      raise exception using errcode = 'ZZUND', message = v_rows::text;
    end if;
    return v_rows::text;
  exception
    when sqlstate 'ZZUND' then
      return sqlerrm;
    when others then
      return sqlstate;
  end;
end
$$;

create function pg_temp.fingerprint()
returns text
language sql
as $$
  select md5(concat(
    (select string_agg(d::text, ';' order by d.user_id) from interlock.drivers d),
    (select string_agg(b::text, ';' order by b.id) from interlock.batches b),
    (select string_agg(e::text, ';' order by e.id) from interlock.batch_events e),
    (select string_agg(s::text, ';') from interlock.settings s)
  ))
$$;

-- Tables ------------------------------------------------------------------

create temporary table statements (tbl text, verb text, sql text, primary key (tbl, verb));
insert into statements
values
  ('drivers', 'select', 'select * from interlock.drivers'),
  ('drivers', 'insert', $$insert into interlock.drivers values ('7a000000-0000-4000-8000-000000000004')$$),
  ('drivers', 'update', $$update interlock.drivers set active = true where user_id = '7a000000-0000-4000-8000-000000000003'$$),
  ('drivers', 'delete', $$delete from interlock.drivers where user_id = '7a000000-0000-4000-8000-000000000003'$$),
  ('drivers', 'truncate', 'truncate interlock.drivers cascade'),
  ('batches', 'select', 'select * from interlock.batches'),
  ('batches', 'insert', 'insert into interlock.batches default values'),
  ('batches', 'update', $$update interlock.batches set priority = 9 where id = '7b000000-0000-4000-8000-000000000001'$$),
  ('batches', 'delete', $$delete from interlock.batches where id = '7b000000-0000-4000-8000-000000000001'$$),
  ('batches', 'truncate', 'truncate interlock.batches'),
  ('batch_events', 'select', $$select * from interlock.batch_events where batch_id::text like '7b000000-0000-4000-8000-%'$$),
  ('batch_events', 'insert', $$insert into interlock.batch_events (batch_id, event, version)
    values ('7b000000-0000-4000-8000-000000000001', 'claimed', 1)$$),
  ('batch_events', 'update', $$update interlock.batch_events set version = 9$$),
  ('batch_events', 'delete', 'delete from interlock.batch_events'),
  ('batch_events', 'truncate', 'truncate interlock.batch_events'),
  ('settings', 'select', 'select * from interlock.settings'),
  ('settings', 'insert', 'insert into interlock.settings default values'),
  ('settings', 'update', $$update interlock.settings set claim_lease = '20 minutes'$$),
  ('settings', 'delete', 'delete from interlock.settings'),
  ('settings', 'truncate', 'truncate interlock.settings');

-- What is allowed, with the number of rows. Everything else is 42501.
create temporary table allowed (caller text, tbl text, verb text, rows text, primary key (caller, tbl, verb));
insert into allowed
values
  ('nobody', 'drivers', 'select', '0'),
  ('nobody', 'batches', 'select', '0'),
  ('nobody', 'batch_events', 'select', '0'),
  ('inactive driver', 'drivers', 'select', '1'),
  ('inactive driver', 'batches', 'select', '0'),
  ('inactive driver', 'batch_events', 'select', '0'),
  ('driver', 'drivers', 'select', '1'),
  ('driver', 'batches', 'select', '2'),
  ('driver', 'batch_events', 'select', '1'),
  ('other driver', 'drivers', 'select', '1'),
  ('other driver', 'batches', 'select', '2'),
  ('other driver', 'batch_events', 'select', '2'),
  ('service', 'drivers', 'select', '3'),
  ('service', 'drivers', 'insert', '1'),
  ('service', 'drivers', 'update', '1'),
  ('service', 'drivers', 'delete', '1'),
  ('service', 'batches', 'select', '4'),
  ('service', 'batches', 'insert', '1'),
  ('service', 'batches', 'update', '1'),
  ('service', 'batches', 'delete', '1'),
  ('service', 'batch_events', 'select', '8'),
  ('service', 'settings', 'select', '1'),
  ('service', 'settings', 'update', '1');

create temporary table before_refusals as select pg_temp.fingerprint() as fingerprint;

select is(
  pg_temp.attempt(c.caller, s.sql, a.rows is null),
  coalesce(a.rows, '42501'),
  format('%s: %s %s', c.caller, s.verb, s.tbl)
)
from callers c
cross join statements s
left join allowed a using (caller, tbl, verb)
order by c.caller, s.tbl, s.verb;

select is(
  pg_temp.fingerprint(),
  (select fingerprint from before_refusals),
  'no refused statement changed a row'
);

-- Which rows, not only how many.

set local role authenticated;
set local "request.jwt.claims" = '{"role": "authenticated", "sub": "7a000000-0000-4000-8000-000000000001"}';
select results_eq(
  'select id from interlock.batches order by id',
  $$ values ('7b000000-0000-4000-8000-000000000001'::uuid), ('7b000000-0000-4000-8000-000000000002') $$,
  'a driver sees available batches and those they hold'
);
select results_eq(
  'select event::text, batch_id from interlock.batch_events',
  $$ values ('claimed', '7b000000-0000-4000-8000-000000000002'::uuid) $$,
  'a driver sees their own history'
);
reset role;

-- Functions ---------------------------------------------------------------

select is(pg_temp.attempt(t.caller, t.sql, t.answer <> '1'), t.answer, format('%s: %s', t.caller, t.sql))
from (values
  ('anon', 'select public.claim_route()', '42501'),
  ('anon', 'select interlock.claim_route(null, null, null)', '42501'),
  ('nobody', 'select public.claim_route()', 'PT403'),
  ('inactive driver', 'select public.claim_route()', 'PT403'),
  ('driver', 'select public.claim_route()', 'PT409'),
  ('other driver', 'select public.claim_route()', '1'),
  ('other driver', 'select interlock.claim_route(null, null, null)', '1'),
  ('service', 'select public.claim_route()', 'PT401'),
  ('driver', $$select interlock.take_batch('7b000000-0000-4000-8000-000000000001', '7a000000-0000-4000-8000-000000000001')$$, '42501'),
  ('driver', $$select interlock.raise_error('INTERNAL')$$, '42501'),
  ('driver', 'select interlock.claim_batch(null, null)', '42501'),
  ('driver', $$select interlock.begin_idempotent('claim_route', 'k', '{}')$$, '42501'),
  ('service', $$select interlock.finish_idempotent('claim_route', 'k', '{}')$$, '42501'),
  ('driver', 'select interlock.lock_driver()', '42501'),
  ('service', $$select interlock.take_batch('7b000000-0000-4000-8000-000000000001', '7a000000-0000-4000-8000-000000000001')$$, '42501')
) as t (caller, sql, answer);

update callers set user_id = '7a000000-0000-4000-8000-000000000002' where caller = 'service';
select is(
  pg_temp.attempt('service', 'select public.claim_route()', false),
  '1',
  'the service role may claim with a driver''s claims'
);

select is(
  pg_temp.fingerprint(),
  (select fingerprint from before_refusals),
  'no refused call changed a row'
);

select * from finish();
rollback;
