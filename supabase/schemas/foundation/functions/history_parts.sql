-- The parts of a history but for its rest, the oldest first: the positions of each, from `first` (null: from the beginning) to
-- before `after`.
--
-- Callers: interlock.make_history_part, interlock.archive_history.
-- Locks: none.
create function interlock.history_parts(p_history text)
returns table (part regclass, first bigint, after bigint)
language sql
stable
rows 20
set search_path = ''
as $$
  select
    i.inhrelid::regclass,
    substring(pg_get_expr(c.relpartbound, c.oid) from $bound$FROM \('(-?[0-9]+)'\)$bound$)::bigint,
    substring(pg_get_expr(c.relpartbound, c.oid) from $bound$TO \('(-?[0-9]+)'\)$bound$)::bigint
  from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  where i.inhparent = format('interlock.%I', p_history)::regclass
    and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
  order by 3
$$;
