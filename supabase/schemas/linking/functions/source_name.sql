-- The name of a table as SQL takes it, with its schema and quoted, whatever the search path.
--
-- Callers: whatever writes SQL about a linked table.
-- Locks: none.
create function interlock.source_name(p_source regclass)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select format('%I.%I', n.nspname, c.relname)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = p_source
  );
end
$$;
