-- Row security on every table, and the rules that every function keeps.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(7);

-- Row security ------------------------------------------------------------

prepare tables_without_rls as
  select c.relname::text
  from pg_catalog.pg_class c
  where c.relnamespace in ('public'::regnamespace, 'interlock'::regnamespace)
    and c.relkind in ('r', 'p')
    and not c.relrowsecurity;

select is_empty('tables_without_rls', 'every table has row security');

create table public.tap_without_rls (id int);
create table interlock.tap_without_rls_either (id int);
select set_eq(
  'tables_without_rls',
  array['tap_without_rls', 'tap_without_rls_either'],
  'the check above notices a table without row security'
);
drop table public.tap_without_rls, interlock.tap_without_rls_either;

-- Functions ---------------------------------------------------------------

create temporary view our_functions as
  select p.oid, p.oid::regprocedure::text as name, p.pronamespace, p.prosecdef, p.proconfig
  from pg_catalog.pg_proc p
  where p.pronamespace in ('public'::regnamespace, 'interlock'::regnamespace)
    and not exists (
      select 1 from pg_catalog.pg_depend d where d.objid = p.oid and d.deptype = 'e'
    );

select is_empty(
  $$ select name from our_functions where prosecdef and pronamespace = 'public'::regnamespace $$,
  'no function in public runs with its owner''s rights'
);
select is_empty(
  $$
    select f.name
    from our_functions f
    join pg_catalog.pg_proc p using (oid)
    cross join lateral pg_catalog.aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    where a.grantee = 0
  $$,
  'nobody may call a function because everybody may'
);
select is_empty(
  $$ select name from our_functions where not coalesce(proconfig, '{}') @> array['search_path=""'] $$,
  'every function has an empty search_path'
);
select is_empty(
  $$ select name from our_functions where obj_description(oid, 'pg_proc') is null $$,
  'every function has a comment'
);
select is_empty(
  $$
    select c.relname
    from pg_catalog.pg_class c
    where c.relnamespace in ('public'::regnamespace, 'interlock'::regnamespace)
      and c.relkind in ('r', 'p', 'v')
      and obj_description(c.oid, 'pg_class') is null
  $$,
  'every table and view has a comment'
);

select * from finish();
rollback;
