-- Drivers, batches and their history: names and shapes that other people's scripts rely on (docs: tables).

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(20);

-- Tables and columns ------------------------------------------------------

-- A domain is told as what it is made of.
create function pg_temp.base_type(p_type oid, p_modifier int)
returns text
language sql
as $$
  select coalesce(format_type(nullif(d.typbasetype, 0), d.typtypmod), format_type(p_type, p_modifier))
  from pg_catalog.pg_type d
  where d.oid = p_type
$$;

select is(
  (
    select array_agg(format('%s %s%s', a.attname, pg_temp.base_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then ' not null' else '' end) order by a.attnum)
    from pg_catalog.pg_attribute a
    where a.attrelid = format('interlock.%I', t.name)::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> 'shop_id'
  ),
  t.columns,
  format('columns of %s', t.name)
)
from (values
  ('drivers', array[
    'user_id uuid not null',
    'active boolean not null',
    'created_at timestamp with time zone not null'
  ]),
  ('batches', array[
    'id uuid not null',
    'status text not null',
    'driver_id uuid',
    'claimed_at timestamp with time zone',
    'lease_expires_at timestamp with time zone',
    'started_at timestamp with time zone',
    'completed_at timestamp with time zone',
    'priority integer not null',
    'version bigint not null',
    'reference text',
    'created_at timestamp with time zone not null'
  ]),
  ('batch_events', array[
    'id bigint not null',
    'batch_id uuid not null',
    'event text not null',
    'driver_id uuid',
    'version bigint not null',
    'created_at timestamp with time zone not null',
    'actor_id uuid',
    'reason text',
    'transaction xid8 not null'
  ])
) as t (name, columns);

select col_is_pk('interlock', 'drivers', 'user_id', 'a driver is a user');
select col_is_pk('interlock', 'batches', 'id', 'a batch has an id');
select fk_ok('interlock', 'drivers', 'user_id', 'auth', 'users', 'id');
select fk_ok('interlock', 'batches', 'driver_id', 'interlock', 'drivers', 'user_id');

select set_has(
  $$
    select conname::text
    from pg_catalog.pg_constraint
    where connamespace in ('public'::regnamespace, 'interlock'::regnamespace)
  $$,
  $$
    values
      ('drivers_pkey'), ('drivers_user_id_fkey'),
      ('batches_pkey'), ('batches_driver_id_fkey'), ('batches_status_known'),
      ('batches_holder_matches_status'), ('row_version_positive'), ('label_length'),
      ('batch_events_pkey'), ('batch_events_event_known'),
      ('settings_pkey'), ('settings_single_row'), ('settings_claim_lease_sane'), ('settings_started_lease_sane')
  $$,
  'constraints have the names that documents and scripts use'
);

select index_is_unique('interlock', 'batches', 'batches_one_active_per_driver');
select is(
  (
    select pg_get_expr(i.indpred, i.indrelid)
    from pg_catalog.pg_index i
    where i.indexrelid = 'interlock.batches_one_active_per_driver'::regclass
  ),
  $$((status)::text = ANY (ARRAY['claimed'::text, 'in_progress'::text]))$$,
  'one active batch per driver counts claimed and in_progress ones'
);
select has_index('interlock', 'batches', 'batches_next_available', 'the queue has an index');
select has_index('interlock', 'batches', 'batches_lease_expiry', 'leases that are over have an index');

-- Functions ---------------------------------------------------------------

select has_function('public', 'claim_route', array['uuid', 'text', 'text']);
select function_returns('public', 'claim_route', array['uuid', 'text', 'text'], 'jsonb');
select isnt_definer('public', 'claim_route', array['uuid', 'text', 'text'], 'the RPC runs as its caller');
select is_definer('interlock', 'claim_route', array['uuid', 'text', 'text'], 'the work is done with the owner''s rights');

select has_function('public', 'assign_batch', array['uuid', 'uuid', 'text']);
select function_returns('public', 'assign_batch', array['uuid', 'uuid', 'text'], 'jsonb');
select isnt_definer('public', 'assign_batch', array['uuid', 'uuid', 'text'], 'the RPC runs as its caller');
select is_definer('interlock', 'assign_batch', array['uuid', 'uuid', 'text'], 'the work is done with the owner''s rights');

select * from finish();
rollback;
