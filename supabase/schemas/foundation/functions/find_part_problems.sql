-- What is not as it should be with the parts of histories (interlock.histories), of which there are as many as a shop has come to: `npm run verify`
-- compares all else with what the migrations make. With each what to do, mostly a statement. A part that is gone without having been archived is a
-- problem, unless the shop archives: whoever drops what was archived drops it there, so it is a note.
--
-- Callers: `npm run verify` (supabase/verify/installation.sql).
-- Locks: none.
create function interlock.find_part_problems()
returns table (level text, subject text, todo text)
language sql
stable
set search_path = ''
as $$
  with settings as materialized (
    -- As interlock.make_history_parts has it.
    select max(s.history_part_rows) as history_part_rows from interlock.settings s
  ),
  history as materialized (
    select
      h.name, h.keep, coalesce(pg_sequence_last_value(h.sequence::regclass), 0) as last,
      format('interlock.%I', h.name)::regclass::oid as id,
      (select max(p.after) from interlock.history_parts(h.name) p) as ends
    from interlock.histories() h
  ),
  part as materialized (
    select
      h.name as history, h.id as history_id, c.oid as id, c.relname, c.oid::regclass::text as shown, c.relrowsecurity, c.relforcerowsecurity,
      pg_get_userbyid(c.relowner) as owner, i.inhdetachpending,
      pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' as is_rest
    from history h
    join pg_catalog.pg_inherits i on i.inhparent = h.id
    join pg_catalog.pg_class c on c.oid = i.inhrelid
  ),
  -- What is in the schema and part of nothing. Its place: where a part of this name begins.
  stray as materialized (
    select c.oid::regclass::text as shown, h.name as history, substring(c.relname from '_([0-9]{1,18})$')::bigint as place
    from pg_catalog.pg_class c
    left join history h on c.relname ~ format('^%s_(rest|[0-9]{1,18})$', h.name)
    where c.relnamespace = 'interlock_parts'::regnamespace
      and c.relkind in ('r', 'p', 'v', 'm', 'f')
      and not exists (select from part p where p.id = c.oid)
  ),
  -- From `first` (null: from the beginning) to before `after`.
  gap as materialized (
    select h.name as history, h.keep, h.last, g.first, g.after
    from history h
    cross join lateral (
      select lag(p.after) over (order by p.after) as first, p.first as after from interlock.history_parts(h.name) p
    ) g
    -- The first one may begin with none: null twice.
    where g.first is distinct from g.after
  ),
  granted as (
    select c.oid as id, a.grantee
    from pg_catalog.pg_class c
    cross join lateral aclexplode(c.relacl) a
    where c.relnamespace = 'interlock_parts'::regnamespace
    union
    select c.attrelid, a.grantee
    from part p
    join pg_catalog.pg_attribute c on c.attrelid = p.id
    cross join lateral aclexplode(c.attacl) a
    union
    select n.oid, a.grantee
    from pg_catalog.pg_namespace n
    cross join lateral aclexplode(n.nspacl) a
    where n.nspname = 'interlock_parts'
  ),
  open_to as (
    select g.id, string_agg(coalesce(r.rolname, 'public'), ', ' order by r.rolname) as roles
    from granted g
    left join pg_catalog.pg_roles r on r.oid = g.grantee
    where g.grantee = 0
      or r.rolname in ('anon', 'authenticated', 'service_role')
    group by g.id
  )
  select 'problem', format('%s has no part for the rest: what no part is there for is refused, and with it the sale', h.name),
    format('select interlock.add_history_part(%L, %L, ''default'')', h.name, h.name || '_rest')
  from history h
  where not exists (select from part p where p.history = h.name and p.is_rest)
    and not exists (select from stray s where s.history = h.name and s.place is null)

  union all
  select 'problem', format('%s has no part for what is written now, which comes to its rest', h.name),
    'select interlock.make_history_parts(), and see to it that the job make-history-parts runs'
  from history h
  cross join settings s
  where s.history_part_rows is not null
    and h.last >= coalesce(h.ends, 0)
    and not exists (select from stray t where t.history = h.name and t.place >= coalesce(h.ends, 0))

  union all
  select
    case when q.may_be_archived then 'note' else 'problem' end,
    format('%s has no part for positions from %s to %s', q.history, coalesce(q.first::text, 'the beginning'), q.after),
    concat(
      case when q.may_be_archived then 'where it was archived and you have dropped it, all is well; else ' end,
      format(
        'select interlock.add_history_part(%L, %L, ''for values from (%s) to (%s)'')',
        q.history, q.history || '_' || coalesce(q.first, 0), coalesce(q.first::text, 'minvalue'), q.after
      )
    )
  from (
    -- Where all parts were archived, parts go on from what is written, with room before them.
    select g.*, (g.after <= g.last or g.first is null) and g.keep is not null as may_be_archived
    from gap g
    where not exists (
      select
      from stray s
      where s.history = g.history
        and s.place >= coalesce(g.first, 0)
        and s.place < g.after
    )
    and not exists (
      select
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      cross join lateral (select substring(c.relname from format('^%s_([0-9]{1,18})(_[0-9]+)?$', g.history))::bigint as place) a
      where n.nspname = 'interlock_archive'
        and a.place >= coalesce(g.first, 0)
        and a.place < g.after
        and (g.after <= g.last or g.first is null)
    )
  ) q

  union all
  select 'problem', format('%s is part of nothing: what is in it is in no history', s.shown),
    coalesce(
      -- Null if it fits nowhere.
      'alter table interlock.' || quote_ident(s.history) || ' attach partition ' || s.shown || ' ' || case when s.place is null then 'default' else coalesce(
        (
          select format('for values from (%s) to (%s)', coalesce(g.first::text, 'minvalue'), g.after)
          from gap g
          where g.history = s.history
            and s.place >= coalesce(g.first, 0)
            and s.place < g.after
        ),
        -- The newest one: as long as parts are.
        (
          select format('for values from (%s) to (', coalesce(h.ends::text, nullif(s.place, 0)::text, 'minvalue')) || s.place + t.history_part_rows || ')'
          from history h
          cross join settings t
          where h.name = s.history
            and s.place >= coalesce(h.ends, 0)
        )
      ) end,
      'look what is in it, and move it to another schema'
    )
  from stray s

  union all
  select 'problem', format('%s is being detached: what is in it is in no history', p.shown),
    format('alter table interlock.%I detach partition %s finalize, and attach it again', p.history, p.shown)
  from part p
  where p.inhdetachpending

  union all
  select 'problem', format('%s is without the index %s', p.shown, x.indexrelid::regclass),
    format(
      '%s; alter index %s attach partition interlock_parts.%I',
      replace(
        replace(pg_get_indexdef(x.indexrelid), format(' ON ONLY interlock.%I ', p.history), format(' ON %s ', p.shown)),
        format('INDEX %I ', c.relname), format('INDEX %I ', n.name)
      ),
      x.indexrelid::regclass, n.name
    )
  from part p
  join pg_catalog.pg_index x on x.indrelid = p.history_id
  join pg_catalog.pg_class c on c.oid = x.indexrelid
  cross join lateral (select left(md5(c.relname), 8) || '_' || p.relname as name) n
  where not exists (
    select
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_index y on y.indexrelid = i.inhrelid
    where i.inhparent = x.indexrelid
      and y.indrelid = p.id
  )

  union all
  select 'problem', format('%s is without the trigger %s', p.shown, t.tgname),
    coalesce(
      (select format('alter table %s enable trigger %I', p.shown, o.tgname) from pg_catalog.pg_trigger o where o.tgrelid = p.id and o.tgname = t.tgname),
      replace(pg_get_triggerdef(t.oid), format(' ON interlock.%s ', quote_ident(p.history)), format(' ON %s ', p.shown))
    )
  from part p
  join pg_catalog.pg_trigger t on t.tgrelid = p.history_id and not t.tgisinternal
  where not exists (
    select from pg_catalog.pg_trigger o where o.tgrelid = p.id and o.tgname = t.tgname and o.tgenabled = t.tgenabled
  )

  union all
  select 'problem', format('%s has its row security off', p.shown), format('alter table %s enable row level security', p.shown)
  from part p
  where not p.relrowsecurity

  union all
  select 'problem', format('%s does not keep shops apart', p.shown), format('select interlock.guard_by_shop(%L)', p.shown)
  from part p
  where interlock.serves_shops()
    and not (
      p.relforcerowsecurity
      and p.owner = 'interlock_owner'
      and exists (select from pg_catalog.pg_policy o where o.polrelid = p.id and o.polname = 'of_the_shop')
    )

  union all
  select 'problem', format('%s is open to %s', o.id::regclass, o.roles), format('revoke all on table %s from %s', o.id::regclass, o.roles)
  from open_to o
  where exists (select from pg_catalog.pg_class c where c.oid = o.id)

  union all
  select 'problem', format('the schema interlock_parts is open to %s', o.roles), format('revoke all on schema interlock_parts from %s', o.roles)
  from open_to o
  where o.id = 'interlock_parts'::regnamespace::oid
$$;
