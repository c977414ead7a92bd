-- What keeps a column from being what an entry of a map says: that there is none of this name, its type, as a key that it is not
-- unique by itself, and where it is to be written that it is generated.
--
-- Callers: interlock.find_link_problems, interlock.find_customer_link_problems, interlock.find_order_link_problems.
-- Locks: none.
create function interlock.find_column_problems(
  p_table regclass, p_pointer text, p_value jsonb, p_types text[], p_key boolean, p_written boolean
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_column pg_catalog.pg_attribute;
  v_type text;
begin
  select a.* into v_column
  from pg_catalog.pg_attribute a
  where a.attrelid = p_table
    and a.attname = p_value #>> '{}'
    and a.attnum > 0
    and not a.attisdropped;
  if jsonb_typeof(p_value) <> 'string' or not found then
    return interlock.problem(p_pointer, format(
      'names no column of %s: it has %s', interlock.source_name(p_table),
      (
        select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped
      )
    ));
  end if;
  -- Of a domain what it is made of.
  with recursive made_of (oid, base) as (
    select t.oid, t.typbasetype from pg_catalog.pg_type t where t.oid = v_column.atttypid
    union all
    select t.oid, t.typbasetype from made_of m join pg_catalog.pg_type t on t.oid = m.base
  )
  select pg_catalog.format_type(m.oid, null) into v_type from made_of m where m.base = 0;
  if v_type <> all (p_types) then
    return interlock.problem(p_pointer, format(
      '%I is %s, and must be %s', v_column.attname, v_type, array_to_string(p_types, ', ')
    ));
  elsif p_key and not exists (
    select
    from pg_catalog.pg_index i
    where i.indrelid = p_table
      and i.indisunique
      and i.indisvalid
      and i.indpred is null
      and i.indnkeyatts = 1
      and i.indkey[0] = v_column.attnum
  ) then
    return interlock.problem(p_pointer, format(
      '%I has no unique constraint of its own: alter table %s add unique (%1$I)', v_column.attname, interlock.source_name(p_table)
    ));
  elsif p_written and v_column.attgenerated <> '' then
    return interlock.problem(p_pointer, format('%I is generated, so nothing can be written to it', v_column.attname));
  end if;
  return jsonb '[]';
end
$$;
