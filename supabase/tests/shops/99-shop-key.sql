-- The shop key: what interlock.serve_shops makes of an installation, held against the catalogue; and that interlock.serve_one_shop makes
-- of it what it was. What engines that distribute tables by a key demand of them (Citus, PgDog, Multigres: docs/growing.md) is among it.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
set local lock_timeout = '10s';
select plan(25);

create function pg_temp.catalogue()
returns table (what text)
language sql
as $$
  select format('column %s %s %s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid))
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'v')
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where c.relnamespace in ('interlock'::regnamespace, 'interlock_parts'::regnamespace) and a.attnum > 0 and not a.attisdropped
  union all
  select format('constraint %s %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
  from pg_catalog.pg_constraint k
  where k.connamespace in ('interlock'::regnamespace, 'interlock_parts'::regnamespace) and k.conparentid = 0
  union all
  select format('index %s %s', pg_get_indexdef(i.indexrelid), obj_description(i.indexrelid))
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indrelid and c.relnamespace = 'interlock'::regnamespace
  union all
  select format('policy %s %s %s %s %s', p.polrelid::regclass, p.polname, p.polpermissive, pg_get_expr(p.polqual, p.polrelid), p.polroles)
  from pg_catalog.pg_policy p
  union all
  select format('view %s %s', c.oid::regclass, pg_get_viewdef(c.oid))
  from pg_catalog.pg_class c
  where c.relnamespace in ('interlock'::regnamespace, 'public'::regnamespace) and c.relkind = 'v'
  union all
  select format('trigger %s %s', t.tgrelid::regclass, pg_get_triggerdef(t.oid))
  from pg_catalog.pg_trigger t
  where not t.tgisinternal and t.tgparentid = 0
  union all
  select format('relation %s %s %s %s', c.oid::regclass, c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity)
  from pg_catalog.pg_class c
  where c.relnamespace in ('interlock'::regnamespace, 'interlock_parts'::regnamespace) and c.relkind in ('r', 'p', 'v', 'S')
  union all
  select format('right to %s of %s: %s', c.oid::regclass, a.grantee::regrole, a.privilege_type)
  from pg_catalog.pg_class c
  cross join lateral pg_catalog.aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
  where c.relnamespace in ('interlock'::regnamespace, 'public'::regnamespace) and c.relkind in ('r', 'p', 'v')
  union all
  select format('function %s %s %s %s', p.oid::regprocedure, p.proowner::regrole, p.prosecdef, md5(p.prosrc))
  from pg_catalog.pg_proc p
  where p.pronamespace = 'interlock'::regnamespace
  union all
  select format('call of %s by %s', p.oid::regprocedure, a.grantee::regrole)
  from pg_catalog.pg_proc p
  cross join lateral pg_catalog.aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
  where p.pronamespace = 'interlock'::regnamespace
$$;
create temporary table before on commit drop as select * from pg_temp.catalogue();

select throws_ok(
  $$select interlock.add_shop('berlin')$$, 'PT409', 'ONE_SHOP', 'an installation of one shop has no other'
);
select ok(not interlock.serves_shops(), 'as it is installed there is one shop');
select is_empty($$select from before where what like '%shop_id%' and what !~ '^(function|call)'$$, 'and nothing knows of a shop key');

select lives_ok('select interlock.serve_shops()', 'from now on there are many');
select ok(interlock.serves_shops(), 'which it knows');
create temporary table many on commit drop as select * from pg_temp.catalogue();
select lives_ok('select interlock.serve_shops()', 'it may be called again');
select is_empty('select * from many except select * from pg_temp.catalogue()', 'which takes nothing away');
select is_empty('select * from pg_temp.catalogue() except select * from many', 'and adds nothing');

-- What the key has to be in.
create temporary table keyed on commit drop as
select c.oid::regclass as name
from pg_catalog.pg_class c
where c.relnamespace in ('interlock'::regnamespace, 'interlock_parts'::regnamespace)
  and c.relkind in ('r', 'p')
  and c.oid <> 'interlock.shops'::regclass;
select is_empty(
  $$
    select k.name
    from keyed k
    where not exists (
      select from pg_attribute a
      where a.attrelid = k.name and a.attname = 'shop_id' and a.attnotnull and a.atttypid = 'int'::regtype
    )
  $$,
  'every table has the key, and no row is without it'
);
select is_empty(
  $$
    select i.indexrelid::regclass
    from pg_index i
    join keyed k on k.name = i.indrelid
    where i.indisunique
      and not exists (
        select from pg_attribute a where a.attrelid = i.indrelid and a.attname = 'shop_id' and a.attnum = any (i.indkey::int2[])
      )
  $$,
  'every unique key holds it'
);
select is_empty(
  $$
    select i.indexrelid::regclass
    from pg_index i
    join keyed k on k.name = i.indrelid
    join pg_class x on x.oid = i.indexrelid
    join pg_am m on m.oid = x.relam and m.amname = 'btree'
    where (select a.attname from pg_attribute a where a.attrelid = i.indrelid and a.attnum = i.indkey[0]) is distinct from 'shop_id'
  $$,
  'and every index by which something is found begins with it'
);
select is_empty(
  $$
    select f.conrelid::regclass, f.conname
    from pg_constraint f
    join keyed k on k.name = f.conrelid
    join keyed r on r.name = f.confrelid
    where f.contype = 'f'
      and not exists (
        select
        from unnest(f.conkey, f.confkey) u (own, other)
        join pg_attribute a on a.attrelid = f.conrelid and a.attnum = u.own and a.attname = 'shop_id'
        join pg_attribute b on b.attrelid = f.confrelid and b.attnum = u.other and b.attname = 'shop_id'
      )
  $$,
  'no row refers to one of another shop'
);
select set_eq(
  $$
    select f.conrelid::regclass::text, f.confrelid::regclass::text
    from pg_constraint f
    join keyed k on k.name = f.conrelid
    where f.contype = 'f' and f.conparentid = 0 and f.confrelid not in (select name from keyed)
  $$,
  $$
    values ('interlock.customers', 'auth.users'), ('interlock.drivers', 'auth.users'), ('interlock.orders', 'auth.users'),
      ('interlock.wallets', 'auth.users')
  $$,
  'beside their own tables shops share the accounts, and nothing else'
);
select is_empty(
  $$
    select c.oid::regclass
    from pg_class c
    join keyed k on k.name = c.oid
    where not (c.relrowsecurity and c.relforcerowsecurity and c.relowner = 'interlock_owner'::regrole)
      or not exists (
        select from pg_policy p
        where p.polrelid = c.oid and not p.polpermissive and p.polroles = '{0}' and p.polcmd = '*'
          and pg_get_expr(p.polqual, p.polrelid) = '(shop_id = ( SELECT interlock.shop_id() AS shop_id))'
      )
  $$,
  'every table shows the rows of the present shop, and those alone, to its owner, too'
);
select is_empty(
  $$
    select c.oid::regclass
    from pg_class c
    join keyed k on k.name = to_regclass(format('interlock.%I', c.relname))
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
      and pg_get_viewdef(c.oid) !~ 'WHERE \(([a-z_]+\.)?shop_id = \( SELECT interlock.shop_id\(\) AS shop_id\)\)'
  $$,
  'and so does every view of the API, to whoever passes over row security, too'
);
select is(
  (select (r.rolbypassrls or r.rolsuper or r.rolcanlogin)::text from pg_roles r where r.rolname = 'interlock_owner'), 'false',
  'who may neither pass over that nor sign in'
);
select is_empty(
  $$
    select p.oid::regprocedure
    from pg_proc p
    where p.pronamespace = 'interlock'::regnamespace
      and p.proowner <> 'interlock_owner'::regrole
      and p.proname not in (select f.* from interlock.functions_of_the_platform() f)
  $$,
  'and has every function, but for those of the platform'
);
select is_empty(
  $$
    select p.oid::regprocedure
    from pg_proc p
    where p.pronamespace = 'interlock'::regnamespace
      and p.proname in (select f.* from interlock.functions_of_the_platform() f)
      and not p.prosecdef
  $$,
  'which have their owner''s rights wherever they are called'
);
select is_empty(
  $$
    select p.oid::regprocedure
    from pg_proc p
    where p.pronamespace = 'interlock'::regnamespace
      and p.proowner = 'interlock_owner'::regrole
      and p.prosrc ~ '\m(auth\.(users|sessions|identities)|vault\.|net\.|cron\.|storage\.objects|realtime\.send)\M'
      -- Of these the first five are the installation's, and the others ask or tell, and do not reach.
      and p.proname not in ('prepare_storage', 'prepare_realtime', 'schedule_jobs', 'serve_shops', 'serve_one_shop', 'has_realtime', 'pack_units', 'source_problems')
  $$,
  'and alone reach what is the platform''s'
);
select is_empty(
  $$
    select p.oid::regprocedure
    from pg_proc p
    where p.pronamespace = 'interlock'::regnamespace
      and p.prosrc ~* 'on conflict\s*\('
      and p.proname not in ('prepare_storage')
  $$,
  'a conflict is named by its constraint, which is there with the key and without it'
);

-- A part that is made from now on.
update interlock.settings set history_part_rows = 1000;
-- As an own sequence, which is undone with the rest.
alter sequence interlock.event_position restart with 4999999;
select count(nextval('interlock.event_position')) from generate_series(1, 3);
do $$ begin while interlock.make_history_parts() > 0 loop null; end loop; end $$;
select is_empty(
  $$
    select c.oid::regclass
    from pg_class c
    where c.relnamespace = 'interlock_parts'::regnamespace and c.relkind = 'r' and not c.relforcerowsecurity
  $$,
  'parts of histories that are made later are guarded as well'
);
select cmp_ok((select count(*) from interlock.history_parts('outbox')), '>', 1::bigint, 'and some were made');

-- And back.
insert into interlock.shops (id, handle) values (2, 'second');
set local interlock.shop = '2';
insert into interlock.settings default values;
set local interlock.shop = '';
select throws_ok(
  'select interlock.serve_one_shop()', 'P0001', 'interlock.settings has rows of other shops', 'with rows of two shops there are two'
);
delete from interlock.settings where shop_id = 2;
select lives_ok('select interlock.serve_one_shop()', 'without them there is one');
create temporary table after on commit drop as select * from pg_temp.catalogue();
select is_empty(
  $$
    (select 'gone: ' || what from before except select 'gone: ' || what from after)
    union all
    (select 'come: ' || what from after where what !~ 'interlock_parts\.' except select 'come: ' || what from before)
  $$,
  'as it was installed'
);

select * from finish();
rollback;
