-- The type of a column, as Postgres writes it.
--
-- Callers: whatever writes SQL about a linked table.
-- Locks: none.
create function interlock.type_of(p_table regclass, p_column text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select pg_catalog.format_type(a.atttypid, a.atttypmod)
    from pg_catalog.pg_attribute a
    where a.attrelid = p_table
      and a.attname = p_column
  );
end
$$;
