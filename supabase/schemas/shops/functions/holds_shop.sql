-- Whether a key (columns of a table, by number) holds the shop key.
--
-- Callers: interlock.serve_shops.
create function interlock.holds_shop(p_table oid, p_columns int2[])
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select
    from pg_catalog.pg_attribute a
    where a.attrelid = p_table
      and a.attname = 'shop_id'
      and a.attnum = any (p_columns)
  )
$$;
