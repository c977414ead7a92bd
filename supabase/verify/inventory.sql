-- What the migrations make, as found in a database: one row for each thing, with what it is.
-- `npm run verify` compares these rows with expected.json, which `cargo xtask snapshot` writes
-- from a database that the migrations have just made.
--
-- One statement that only reads, for Postgres 15 and later. Everything in `interlock` is listed, the views in `public`
-- that show it, and all functions there; what is nobody's business there is left out by the comparison. Where a name in
-- `public` is taken by something else, that is said (kind `taken`). Where there are many shops (interlock.serve_shops), it is also
-- said what keeps them apart: whom things belong to, what shows one shop, and what the role interlock_owner is and may.

with
-- Definitions are written with schema names, whatever the session's search path is.
path as materialized (
  select set_config('search_path', 'pg_catalog', true) as is_set
),

schemas as (
  select n.oid, n.nspname as name, n.nspacl, n.nspowner
  from path
  join pg_catalog.pg_namespace n on path.is_set is not null
  where n.nspname in ('public', 'interlock')
),

many_shops as materialized (
  select exists (
    select
    from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass('interlock.settings')
      and a.attname = 'shop_id'
      and not a.attisdropped
  ) as there
),

relations as (
  select
    c.oid, s.name || '.' || c.relname as name, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relacl, c.relowner,
    c.reloptions
  from schemas s
  join pg_catalog.pg_class c on c.relnamespace = s.oid
  where c.relkind in ('r', 'p', 'v', 'm')
    and (
      s.name = 'interlock'
      or exists (
        select
        from pg_catalog.pg_rewrite w
        join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = w.oid
        join pg_catalog.pg_class t on t.oid = d.refobjid and d.refclassid = 'pg_catalog.pg_class'::regclass
        join schemas o on o.oid = t.relnamespace and o.name = 'interlock'
        where w.ev_class = c.oid
          and t.relname = c.relname
      )
    )
),

domains as (
  select t.*, s.name || '.' || t.typname as name
  from schemas s
  join pg_catalog.pg_type t on t.typnamespace = s.oid
  where s.name = 'interlock'
    and t.typtype = 'd'
),

functions as (
  select
    p.*,
    s.name || '.' || p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' as name
  from schemas s
  join pg_catalog.pg_proc p on p.pronamespace = s.oid
  where p.prokind in ('f', 'p')
),

-- Privileges of the roles that the API uses, of everybody, and of interlock_owner on what is not its own. Postgres 17 knows one
-- that 15 does not; it lets nobody read or write.
privileges as (
  select 'schema ' || s.name as object, s.nspowner as owner, acl.*
  from schemas s, pg_catalog.aclexplode(coalesce(s.nspacl, pg_catalog.acldefault('n', s.nspowner))) as acl
  where s.name = 'interlock'
  union all
  select 'table ' || r.name, r.relowner, acl.*
  from relations r, pg_catalog.aclexplode(coalesce(r.relacl, pg_catalog.acldefault('r', r.relowner))) as acl
  union all
  select 'column ' || r.name || '.' || a.attname, r.relowner, acl.*
  from relations r
  join pg_catalog.pg_attribute a on a.attrelid = r.oid and not a.attisdropped,
  pg_catalog.aclexplode(a.attacl) as acl
  union all
  select 'function ' || f.name, f.proowner, acl.*
  from functions f, pg_catalog.aclexplode(coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))) as acl
),

grants as (
  select
    p.object || ' to ' || coalesce(r.rolname, 'public') as name,
    string_agg(p.privilege_type, ', ' order by p.privilege_type) as definition
  from privileges p
  left join pg_catalog.pg_roles r on r.oid = p.grantee
  where (
      p.grantee = 0
      or r.rolname in ('anon', 'authenticated', 'service_role')
      or (r.rolname = 'interlock_owner' and p.grantee <> p.owner)
    )
    and p.privilege_type <> 'MAINTAIN'
  group by 1
),

-- Through XML, because the table of the history is absent where nothing was ever pushed.
history as (
  select x.version
  from
    (select pg_catalog.to_regclass('supabase_migrations.schema_migrations') as found from path) as h,
    lateral xmltable(
      '/table/row'
      passing pg_catalog.query_to_xml(
        case when h.found is null then 'select null as version where false'
        else 'select version from supabase_migrations.schema_migrations' end,
        false, false, ''
      )
      columns version text path 'version'
    ) as x
),

things (kind, name, definition) as (
  select 'migration', version, 'applied' from history

  union all
  select 'schema', name, 'there' from schemas where name = 'interlock'

  union all
  select
    case when r.relkind in ('v', 'm') then 'view' else 'table' end,
    r.name,
    concat_ws(
      '; ',
      array_to_string(r.reloptions, ', '),
      'columns ' || (
        -- The shop key stands where the table ended when it came.
        select string_agg(a.attname, ', ' order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped and a.attname <> 'shop_id'
      ),
      case when pg_catalog.pg_get_viewdef(r.oid) ~ 'WHERE \((\w+\.)?shop_id = \( SELECT interlock\.shop_id\(\)' then 'of the present shop' end
    )
  from relations r

  union all
  select
    'taken',
    'public.' || split_part(r.name, '.', 2),
    'by something of the project''s own'
  from relations r
  where r.name like 'interlock.%'
    and not exists (select from relations v where v.name = 'public.' || split_part(r.name, '.', 2))
    and (
      pg_catalog.to_regclass('public.' || split_part(r.name, '.', 2)) is not null
      or pg_catalog.to_regtype('public.' || split_part(r.name, '.', 2)) is not null
    )

  union all
  select
    'domain',
    d.name,
    concat_ws(
      ' ',
      pg_catalog.format_type(d.typbasetype, d.typtypmod),
      case when d.typnotnull then 'not null' end,
      'default ' || d.typdefault,
      (
        select string_agg(k.conname || ' ' || pg_catalog.pg_get_constraintdef(k.oid), ' ' order by k.conname)
        from pg_catalog.pg_constraint k
        where k.contypid = d.oid
      )
    )
  from domains d

  union all
  -- Of a comment, as of a body, a digest is enough.
  select 'comment', c.object, left(md5(c.text), 12)
  from (
    select 'schema ' || s.name as object, pg_catalog.obj_description(s.oid, 'pg_namespace') as text
    from schemas s
    where s.name = 'interlock'
    union all
    select 'table ' || r.name, pg_catalog.obj_description(r.oid, 'pg_class') from relations r
    union all
    select 'column ' || r.name || '.' || a.attname, pg_catalog.col_description(r.oid, a.attnum)
    from relations r
    join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    union all
    select 'function ' || f.name, pg_catalog.obj_description(f.oid, 'pg_proc') from functions f
  ) as c (object, text)
  where c.text is not null

  union all
  -- Whoever has installed it is postgres; where there are many shops, what is not theirs is said of each thing.
  select
    'owner', o.object,
    case pg_catalog.pg_get_userbyid(o.owner)
      when 'interlock_owner' then 'interlock_owner'
      when 'postgres' then 'who has installed it'
      else 'somebody else'
    end
  from (
    select 'schema ' || s.name, s.nspowner from schemas s where s.name = 'interlock'
    union all
    select 'table ' || r.name, r.relowner from relations r
    union all
    select 'function ' || f.name, f.proowner from functions f
    union all
    select 'domain ' || d.name, d.typowner from domains d
  ) as o (object, owner)
  where pg_catalog.pg_get_userbyid(o.owner) <> 'postgres'
    or (o.object ~ '^(table|function) interlock[.]' and (select m.there from many_shops m))

  union all
  select 'role', r.rolname, concat_ws(
    ', ',
    case when r.rolsuper or r.rolbypassrls then 'passes over row security' else 'is bound by row security' end,
    case when r.rolcanlogin then 'signs in' else 'does not sign in' end
  )
  from pg_catalog.pg_roles r
  where r.rolname = 'interlock_owner'
    and (select m.there from many_shops m)

  union all
  select 'default rights', s.name || ' ' || d.defaclobjtype::text, d.defaclacl::text
  from schemas s
  join pg_catalog.pg_default_acl d on d.defaclnamespace = s.oid
  where s.name = 'interlock'

  union all
  select
    'row security', name,
    case when relrowsecurity then 'on' else 'off' end || case when relforcerowsecurity then ', of its owner too' else '' end
  from relations
  where relkind in ('r', 'p')

  union all
  select
    'column',
    r.name || '.' || a.attname,
    concat_ws(
      ' ',
      pg_catalog.format_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then 'not null' end,
      case when a.attidentity <> '' then 'identity' end,
      case when a.attgenerated <> '' then 'generated' else 'default' end || ' '
        || pg_catalog.pg_get_expr(d.adbin, d.adrelid),
      case when a.attstattarget >= 0 then 'statistics ' || a.attstattarget end
    )
  from relations r
  join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum

  union all
  select
    'constraint',
    r.name || '.' || c.conname,
    pg_catalog.pg_get_constraintdef(c.oid)
      || case
        when exists (
          select from pg_catalog.pg_trigger t where t.tgconstraint = c.oid and t.tgenabled not in ('O', 'A')
        ) then ' (its triggers are disabled)'
        else ''
      end
  from relations r
  join pg_catalog.pg_constraint c on c.conrelid = r.oid
  where c.contype in ('c', 'f', 'p', 'u', 'x')

  union all
  select
    'index',
    r.name || '.' || c.relname,
    pg_catalog.pg_get_indexdef(i.indexrelid)
      || case when i.indisvalid then '' else ' (invalid)' end
  from relations r
  join pg_catalog.pg_index i on i.indrelid = r.oid
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  where not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.conrelid = r.oid)

  union all
  select
    'trigger',
    r.name || '.' || t.tgname,
    pg_catalog.pg_get_triggerdef(t.oid)
      || case when t.tgenabled in ('O', 'A') then '' else ' (disabled)' end
  from relations r
  join pg_catalog.pg_trigger t on t.tgrelid = r.oid
  where not t.tgisinternal

  union all
  select
    'policy',
    p.schemaname || '.' || p.tablename || '.' || p.policyname,
    concat_ws(
      ' ',
      lower(p.permissive),
      'for ' || lower(p.cmd),
      'to ' || array_to_string(p.roles, ', '),
      'using (' || p.qual || ')',
      'with check (' || p.with_check || ')'
    )
  from path
  join pg_catalog.pg_policies p on path.is_set is not null
  where p.schemaname in ('public', 'interlock')

  union all
  -- Of the body a digest is enough to tell that it is another one.
  select
    'function',
    f.name,
    concat_ws(
      ' ',
      'returns ' || pg_catalog.pg_get_function_result(f.oid),
      'language ' || l.lanname,
      case f.provolatile when 'i' then 'immutable' when 's' then 'stable' end,
      case when f.proisstrict then 'strict' end,
      case when f.prosecdef then 'security definer' end,
      (select string_agg('set ' || c, ' ' order by c) from unnest(f.proconfig) as c),
      'body ' || left(
        md5(regexp_replace(coalesce(f.prosrc, '') || coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), ''), '\s+', ' ', 'g')),
        12
      )
    )
  from functions f
  join pg_catalog.pg_language l on l.oid = f.prolang

  union all
  select 'grant', name, definition from grants
)

select kind, name, definition
from things
order by kind collate "C", name collate "C";
