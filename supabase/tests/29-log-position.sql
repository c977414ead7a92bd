-- How far the log is (docs/growing.md): who has been answered is before that place, whether or not their commit is on the disk yet.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(7);

create function pg_temp.asked(p_role text)
returns text
language plpgsql
as $$
declare
  v_answer text;
begin
  perform set_config('role', p_role, true);
  v_answer := public.log_position();
  perform set_config('role', 'none', true);
  return v_answer;
exception
  when insufficient_privilege then
    return sqlerrm;
end
$$;

select is(
  pg_temp.asked('anon'), 'permission denied for function log_position', 'who can write nothing has nothing to look for'
);
create temporary table before as select pg_temp.asked('authenticated')::jsonb as answer;
insert into auth.users (id, aud, role, email)
values ('29000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-29@example.com');
create temporary table written as select pg_current_wal_insert_lsn() as lsn;
create temporary table after as select pg_temp.asked('service_role')::jsonb as answer;

select ok(
  (select (a.answer ->> 'position')::bigint > (b.answer ->> 'position')::bigint from before b, after a),
  'it goes on with every write'
);
select ok(
  (select (a.answer ->> 'lsn')::pg_lsn >= w.lsn from after a, written w),
  'what is written is before it, though nobody has flushed it: so is a commit with synchronous_commit off'
);
select is(
  (select (a.answer ->> 'position')::bigint - (b.answer ->> 'position')::bigint from before b, after a),
  (select pg_wal_lsn_diff((a.answer ->> 'lsn')::pg_lsn, (b.answer ->> 'lsn')::pg_lsn)::bigint from before b, after a),
  'the number counts the same bytes as the LSN'
);
select is(
  (select (a.answer ->> 'timeline')::int from after a),
  (select c.timeline_id from pg_control_checkpoint() c),
  'on the timeline of the server'
);
select is((select a.answer -> 'is_replica' from after a), 'false', 'which is no replica');
select results_eq(
  $$select p.provolatile::text from pg_proc p where p.proname = 'log_position'$$,
  array['s', 's'],
  'it writes nothing, and therefore answers at a replica'
);

select * from finish();
rollback;
