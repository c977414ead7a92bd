-- Make the view in public of a table or view of this schema, or make it anew: its columns, but for the transaction that wrote a row and the shop
-- that it is of; where there are many shops, the rows of the present one, whoever asks.
--
-- Callers: interlock.expose, interlock.serve_shops, interlock.serve_one_shop.
-- Locks: the view, exclusively.
create function interlock.make_exposed(p_name text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_table constant regclass := format('interlock.%I', p_name)::regclass;
begin
  execute format(
    'create or replace view public.%I with (security_invoker = true) as select %s from %s%s',
    p_name,
    (
      select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
      from pg_catalog.pg_attribute a
      where a.attrelid = v_table
        and a.attnum > 0
        and not a.attisdropped
        and a.attname not in ('transaction', 'shop_id')
    ),
    v_table,
    case
      when (select c.relforcerowsecurity from pg_catalog.pg_class c where c.oid = v_table)
      then ' where shop_id = (select interlock.shop_id())'
      else ''
    end
  );
end
$$;
