-- The tables that have the shop key once there are many shops: all but the list of shops; parts of histories with what they are
-- parts of.
--
-- Callers: interlock.serve_shops and what belongs to it.
create function interlock.keyed_tables()
returns table (name regclass, is_part boolean, keyed boolean)
language sql
stable
rows 120
set search_path = ''
as $$
  select
    c.oid::regclass, c.relispartition,
    exists (
      select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'shop_id' and not a.attisdropped
    )
  from pg_catalog.pg_class c
  where c.relnamespace in ('interlock'::regnamespace, 'interlock_parts'::regnamespace)
    and c.relkind in ('r', 'p')
    and c.oid <> 'interlock.shops'::regclass
  order by c.relispartition, c.oid
$$;
