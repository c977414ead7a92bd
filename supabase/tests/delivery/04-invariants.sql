-- What holds whatever code runs: constraints, transitions, versions, history, removal of
-- drivers. Everything here is done with the table owner's own SQL.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(124);

-- Cast --------------------------------------------------------------------

insert into auth.users (id, aud, role, email)
values
  ('7a000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-ann@example.com'),
  ('7a000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'tap-bob@example.com');

delete from interlock.batches;

insert into interlock.drivers (user_id)
values
  ('7a000000-0000-4000-8000-000000000001'),
  ('7a000000-0000-4000-8000-000000000002');

update interlock.settings set claim_lease = '15 minutes';

-- `ok`, or the SQLSTATE and the constraint that refused. What the statement did is
-- undone unless p_keep.
create function pg_temp.verdict(p_sql text, p_keep boolean default false)
returns text
language plpgsql
as $$
declare
  v_constraint text;
begin
  execute p_sql;
  if not p_keep then
    raise exception using errcode = 'ZZUND';
  end if;
  return 'ok';
exception
  when sqlstate 'ZZUND' then
    return 'ok';
  when others then
    get stacked diagnostics v_constraint = constraint_name;
    return concat_ws(' ', sqlstate, nullif(v_constraint, ''));
end
$$;

-- Constraints -------------------------------------------------------------

select is(pg_temp.verdict('insert into interlock.batches ' || t.what), t.verdict, format('inserting %s: %s', t.what, t.verdict))
from (values
  ('default values', 'ok'),
  ($$(status) values ('lost')$$, '23514 batches_status_known'),
  ($$(status) values (null)$$, '23502'),
  ($$(reference) values ('')$$, '23514 label_length'),
  ($$(reference) values (repeat('x', 200))$$, 'ok'),
  ($$(reference) values (repeat('x', 201))$$, '23514 label_length'),
  ($$(version) values (0)$$, '23514 row_version_positive'),
  ($$(driver_id) values ('7a000000-0000-4000-8000-000000000001')$$, '23514 batches_holder_matches_status'),
  ($$(lease_expires_at) values (now())$$, '23514 batches_holder_matches_status'),
  ($$(status) values ('claimed')$$, '23514 batches_holder_matches_status'),
  ($$(status, driver_id, claimed_at) values ('claimed', '7a000000-0000-4000-8000-000000000001', now())$$, '23514 batches_holder_matches_status'),
  ($$(status, claimed_at, lease_expires_at) values ('claimed', now(), now())$$, '23514 batches_holder_matches_status'),
  ($$(status, driver_id, claimed_at, lease_expires_at) values ('claimed', '7a000000-0000-4000-8000-000000000001', now(), now())$$, 'ok'),
  ($$(status, driver_id, claimed_at, lease_expires_at) values ('claimed', '7a000000-0000-4000-8000-0000000000ff', now(), now())$$, '23503 batches_driver_id_fkey'),
  ($$(status, driver_id, claimed_at, lease_expires_at) values ('in_progress', '7a000000-0000-4000-8000-000000000001', now(), now())$$, '23514 batches_holder_matches_status'),
  ($$(status, driver_id, claimed_at, lease_expires_at, started_at) values ('in_progress', '7a000000-0000-4000-8000-000000000001', now(), now(), now())$$, 'ok'),
  ($$(status) values ('completed')$$, '23514 batches_holder_matches_status'),
  ($$(status, completed_at) values ('completed', now())$$, 'ok'),
  ($$(status, completed_at, lease_expires_at) values ('completed', now(), now())$$, '23514 batches_holder_matches_status'),
  ($$(status) values ('cancelled')$$, 'ok'),
  ($$(status, lease_expires_at) values ('cancelled', now())$$, '23514 batches_holder_matches_status'),
  ($$(status, driver_id, claimed_at, lease_expires_at, started_at) select s, '7a000000-0000-4000-8000-000000000001', now(), now(), case s when 'in_progress' then now() end from unnest(array['claimed', 'in_progress']) s$$, '23505 batches_one_active_per_driver')
) as t (what, verdict);

select is(pg_temp.verdict(t.sql), t.verdict, format('%s: %s', t.sql, t.verdict))
from (values
  ($$update interlock.settings set claim_lease = '20 minutes'$$, 'ok'),
  ($$update interlock.settings set claim_lease = '1 second'$$, 'ok'),
  ($$update interlock.settings set claim_lease = '1 day'$$, 'ok'),
  ($$update interlock.settings set claim_lease = '0'$$, '23514 settings_claim_lease_sane'),
  ($$update interlock.settings set claim_lease = '-1 minute'$$, '23514 settings_claim_lease_sane'),
  ($$update interlock.settings set claim_lease = '25 hours'$$, '23514 settings_claim_lease_sane'),
  ('update interlock.settings set claim_lease = null', '23502'),
  ($$update interlock.settings set started_lease = '1 second'$$, 'ok'),
  ($$update interlock.settings set started_lease = '7 days'$$, 'ok'),
  ($$update interlock.settings set started_lease = '0'$$, '23514 settings_started_lease_sane'),
  ($$update interlock.settings set started_lease = '8 days'$$, '23514 settings_started_lease_sane'),
  ('update interlock.settings set started_lease = null', '23502'),
  ('update interlock.settings set singleton = false', '23514 settings_single_row'),
  ('insert into interlock.settings default values', '23505 settings_pkey')
) as t (sql, verdict);

-- Transitions -------------------------------------------------------------

-- A batch in the given state, held (where the state has a holder) by ann.
create function pg_temp.batch_in(p_status text, p_lease_over boolean)
returns uuid
language sql
as $$
  delete from interlock.batches;
  insert into interlock.batches (status, driver_id, claimed_at, lease_expires_at, started_at, completed_at)
  values (
    p_status,
    case when p_status <> 'available' then '7a000000-0000-4000-8000-000000000001'::uuid end,
    case when p_status <> 'available' then now() - interval '1 hour' end,
    case when p_status in ('claimed', 'in_progress')
      then now() + interval '1 minute' * case when p_lease_over then -1 else 1 end end,
    case when p_status = 'in_progress' then now() - interval '1 minute' end,
    case when p_status = 'completed' then now() end
  )
  returning id;
$$;

-- Moves that batch to another state for the given driver, and says what came of it.
create function pg_temp.move(p_from text, p_to text, p_driver_id uuid, p_lease_over boolean)
returns text
language plpgsql
as $$
declare
  v_id constant uuid := pg_temp.batch_in(p_from, p_lease_over);
begin
  return pg_temp.verdict(format(
    'update interlock.batches set status = %L, driver_id = %L%s where id = %L',
    p_to,
    p_driver_id,
    case when p_to in ('claimed', 'in_progress') then
      format(
        ', claimed_at = now(), lease_expires_at = now() + interval %L, started_at = %s',
        '15 minutes',
        case when p_to = 'in_progress' then 'now()' else 'null' end
      )
    end,
    v_id
  ));
end
$$;

create temporary table moves as
  select f.s as from_status, t.s as to_status, d.driver, o.lease_over
  from unnest(array['available', 'claimed', 'in_progress', 'completed', 'cancelled']) f (s)
  cross join unnest(array['available', 'claimed', 'in_progress', 'completed', 'cancelled']) t (s)
  cross join unnest(array['same', 'other']) d (driver)
  cross join unnest(array[false, true]) o (lease_over)
  where (f.s in ('claimed', 'in_progress') or not o.lease_over);

-- The table in the header of delivery/triggers/guard_batch_transition.sql, once more.
create function pg_temp.is_allowed(p_move moves)
returns boolean
language sql
as $$
  select case
    when p_move.from_status = 'available' then p_move.to_status in ('available', 'claimed', 'cancelled')
    when p_move.from_status in ('completed', 'cancelled') then
      p_move.to_status = p_move.from_status and p_move.driver = 'same'
    when p_move.to_status in ('available', 'cancelled') then true
    when p_move.to_status in ('in_progress', 'completed') then p_move.driver = 'same'
    when p_move.from_status = 'claimed' then p_move.driver = 'same' or p_move.lease_over
    else p_move.lease_over
  end
$$;

select is(
  pg_temp.move(
    m.from_status,
    m.to_status,
    case
      when m.to_status = 'available' then null
      when m.driver = 'same' then '7a000000-0000-4000-8000-000000000001'::uuid
      else '7a000000-0000-4000-8000-000000000002'
    end,
    m.lease_over
  ),
  case when pg_temp.is_allowed(m) then 'ok' else '23514 batches_transition_allowed' end,
  format('%s to %s, %s driver, lease %s', m.from_status, m.to_status, m.driver,
    case when m.lease_over then 'over' else 'live' end)
)
from moves m
where not (m.to_status = 'available' and m.driver = 'other')
order by m.from_status, m.to_status, m.driver, m.lease_over;

select is(
  pg_temp.verdict(format('update interlock.batches set status = %L where id = %L', 'lost', pg_temp.batch_in('available', false))),
  '23514 batches_status_known',
  'an unknown status is refused by its name'
);

-- What a new status implies -----------------------------------------------

-- Sets nothing but the status (and a driver) and tells which columns are filled then.
create function pg_temp.filled_after(p_from text, p_assignments text)
returns text
language plpgsql
as $$
declare
  v_id constant uuid := pg_temp.batch_in(p_from, false);
begin
  execute format('update interlock.batches set %s where id = %L', p_assignments, v_id);
  return (
    select concat_ws(' ',
      b.status,
      case when b.driver_id is not null then 'driver' end,
      case when b.claimed_at is not null then 'claimed_at' end,
      case when b.lease_expires_at is not null then 'lease' end,
      case when b.started_at is not null then 'started_at' end,
      case when b.completed_at is not null then 'completed_at' end)
    from interlock.batches b
    where b.id = v_id
  );
end
$$;

select is(pg_temp.filled_after(t.from_status, t.assignments), t.filled, format('%s, then %s', t.from_status, t.assignments))
from (values
  ('available', $$status = 'claimed', driver_id = '7a000000-0000-4000-8000-000000000001'$$, 'claimed driver claimed_at lease'),
  ('claimed', $$status = 'in_progress'$$, 'in_progress driver claimed_at lease started_at'),
  ('claimed', $$status = 'available'$$, 'available'),
  ('in_progress', $$status = 'available'$$, 'available'),
  ('claimed', $$status = 'completed'$$, 'completed driver claimed_at completed_at'),
  ('in_progress', $$status = 'completed'$$, 'completed driver claimed_at started_at completed_at'),
  ('in_progress', $$status = 'cancelled'$$, 'cancelled driver claimed_at started_at'),
  ('available', $$status = 'cancelled'$$, 'cancelled')
) as t (from_status, assignments, filled);

-- A started batch has the longer lease of its own, unless the same update says another.
create function pg_temp.lease_after(p_assignments text)
returns interval
language plpgsql
as $$
declare
  v_id constant uuid := pg_temp.batch_in('claimed', false);
begin
  execute format('update interlock.batches set %s where id = %L', p_assignments, v_id);
  return (select b.lease_expires_at - now() from interlock.batches b where b.id = v_id);
end
$$;
select is(pg_temp.lease_after($$status = 'in_progress'$$), interval '4 hours', 'a started batch has the longer lease');
select is(
  pg_temp.lease_after($$status = 'in_progress', lease_expires_at = now() + interval '2 minutes'$$), interval '2 minutes',
  'unless another one is given'
);
update interlock.settings set started_lease = '10 seconds';
select is(pg_temp.lease_after($$status = 'in_progress'$$), interval '1 minute', 'a start makes no lease shorter');
update interlock.settings set started_lease = '4 hours';

-- Version -----------------------------------------------------------------

create temporary table counted as select pg_temp.batch_in('available', false) as id;

update interlock.batches set priority = 3 where id = (select id from counted);
select is((select version::bigint from interlock.batches), 2::bigint, 'an update counts one version');
update interlock.batches set version = 1000, reference = 'x' where id = (select id from counted);
select is((select version::bigint from interlock.batches), 3::bigint, 'whatever version the update asks for');
update interlock.batches set status = 'cancelled' where id = (select id from counted);
select is((select version::bigint from interlock.batches), 4::bigint, 'a change of status counts one version');
select is(
  pg_temp.verdict($$update interlock.batches set status = 'available'$$, true) || ' ' || (select version::bigint from interlock.batches),
  '23514 batches_transition_allowed 4',
  'a refused update counts none'
);

-- History -----------------------------------------------------------------

-- The history that an owner's SQL leaves: event, driver, version.
create function pg_temp.history_of(p_id uuid)
returns text
language sql
as $$
  select string_agg(
    concat_ws(' ',
      e.event,
      case e.driver_id
        when '7a000000-0000-4000-8000-000000000001' then 'ann'
        when '7a000000-0000-4000-8000-000000000002' then 'bob'
      end,
      e.version),
    ', ' order by e.id)
  from interlock.batch_events e
  where e.batch_id = p_id
$$;

create temporary table watched as select pg_temp.batch_in('available', false) as id;
update interlock.batches set status = 'claimed', driver_id = '7a000000-0000-4000-8000-000000000001';
update interlock.batches set priority = 1;
update interlock.batches set lease_expires_at = now() + interval '1 hour';
update interlock.batches set lease_expires_at = now() - interval '1 hour';
update interlock.batches
set driver_id = '7a000000-0000-4000-8000-000000000002', claimed_at = now(), lease_expires_at = now() + interval '1 hour';
update interlock.batches set status = 'in_progress';
update interlock.batches set status = 'available';
update interlock.batches set status = 'claimed', driver_id = '7a000000-0000-4000-8000-000000000002';
update interlock.batches set lease_expires_at = now() - interval '1 hour';
update interlock.batches set status = 'available';
update interlock.batches set status = 'claimed', driver_id = '7a000000-0000-4000-8000-000000000001';
update interlock.batches set status = 'completed';
delete from interlock.batches;

select is(
  pg_temp.history_of((select id from watched)),
  concat_ws(', ',
    'created 1', 'claimed ann 2', 'renewed ann 4', 'shortened ann 5', 'expired ann 6', 'claimed bob 6',
    'started bob 7', 'released bob 8', 'claimed bob 9', 'shortened bob 10', 'expired bob 11',
    'claimed ann 12', 'completed ann 13', 'deleted ann 13'),
  'the owner''s own SQL leaves a complete history'
);

truncate watched;
insert into watched select pg_temp.batch_in('in_progress', false);
update interlock.batches set status = 'cancelled';
select is(
  pg_temp.history_of((select id from watched)),
  'created ann 1, cancelled ann 2',
  'a cancelled batch''s event names who held it'
);

create temporary table before_refusals as
  select md5(string_agg(e::text, ';' order by e.id)) as fingerprint from interlock.batch_events e;

select is(pg_temp.verdict(t.sql, true), '23001', t.sql || ' is refused even to the owner')
from (values
  ('update interlock.batch_events set version = 9'),
  ('delete from interlock.batch_events'),
  ('truncate interlock.batch_events')
) as t (sql);
select is(
  (select md5(string_agg(e::text, ';' order by e.id)) from interlock.batch_events e),
  (select fingerprint from before_refusals),
  'and the history is as it was'
);

-- Removal of a driver -----------------------------------------------------

truncate watched;
insert into watched select pg_temp.batch_in('claimed', false);
insert into interlock.batches (status, driver_id, completed_at)
values ('completed', '7a000000-0000-4000-8000-000000000001', now());

delete from auth.users where id = '7a000000-0000-4000-8000-000000000001';

select is_empty(
  $$ select user_id from interlock.drivers where user_id = '7a000000-0000-4000-8000-000000000001' $$,
  'deleting the account removes the driver'
);
select results_eq(
  'select status::text, driver_id from interlock.batches order by status',
  $$ values ('available', null::uuid), ('completed', null) $$,
  'what they held is available again, what they completed stays'
);
select is(
  pg_temp.history_of((select id from watched)),
  'created ann 1, released ann 2',
  'and history still says who it was'
);

select * from finish();
rollback;
