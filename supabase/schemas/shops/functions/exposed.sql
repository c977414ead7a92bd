-- The tables of which there is a view of ours in public (interlock.expose).
--
-- Callers: interlock.serve_shops, interlock.serve_one_shop.
create function interlock.exposed()
returns setof text
language sql
stable
rows 40
set search_path = ''
as $$
  select c.relname::text
  from pg_catalog.pg_class c
  join interlock.keyed_tables() t on t.name = to_regclass(format('interlock.%I', c.relname))
  where c.relnamespace = 'public'::regnamespace
    and c.relkind = 'v'
    and exists (
      select
      from pg_catalog.pg_depend d
      join pg_catalog.pg_rewrite r on r.oid = d.objid
      where r.ev_class = c.oid
        and d.refobjid = t.name
    )
$$;
