-- What keeps a table from being linked as the map says, before any of its rows is looked at: each with a pointer into the map.
--
-- Callers: interlock.link_products, interlock.product_drift.
-- Locks: none.
create function interlock.find_link_problems(p_source regclass, p_map jsonb, p_write_back boolean)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_entry record;
  v_is_currency constant boolean := coalesce(jsonb_typeof(p_map -> 'currency') = 'object' and p_map -> 'currency' ? 'is', false);
  v_is_listed constant boolean := coalesce(jsonb_typeof(p_map -> 'active') = 'object' and p_map -> 'active' ? 'in', false);
begin
  v_problems := interlock.find_table_problems(p_source, '/p_source');
  if not exists (select from pg_catalog.pg_class c where c.oid = p_source) then
    return v_problems;
  end if;

  if jsonb_typeof(p_map) is distinct from 'object' then
    return v_problems || interlock.problem('/p_map', 'must be an object: {"id": "id", "name": "title", "price": "price", …}');
  end if;
  select v_problems || coalesce(jsonb_agg(jsonb_build_object('pointer', '/p_map/' || k.key, 'message', 'is unknown') order by k.key), '[]')
  into v_problems
  from jsonb_object_keys(p_map) as k (key)
  where k.key <> all ('{id,name,price,price_unit,currency,active,quantity}'::text[]);
  if p_map ->> 'price_unit' is null or p_map ->> 'price_unit' not in ('major', 'minor') then
    v_problems := v_problems || interlock.problem('/p_map/price_unit', 'must be major (19.99) or minor (1999)');
  end if;
  if v_is_currency and not coalesce(interlock.is_currency(p_map -> 'currency' ->> 'is'), false) then
    v_problems := v_problems || interlock.problem('/p_map/currency/is', 'must be a currency of ISO 4217, such as EUR');
  end if;
  if v_is_listed and (
    jsonb_typeof(p_map -> 'active' -> 'in') <> 'array' or p_map -> 'active' -> 'in' = '[]'
    or jsonb_path_exists(p_map -> 'active' -> 'in', '$[*] ? (@.type() != "string")')
  ) then
    v_problems := v_problems || interlock.problem('/p_map/active/in', 'must be the values that mean active: ["active"]');
  end if;
  if p_write_back and not p_map ? 'quantity' then
    v_problems := v_problems || interlock.problem('/p_map/quantity', 'is required to write stock back');
  end if;

  for v_entry in
    select e.key, e.required, e.types, e.pointer, e.value
    from (values
      ('id', true, '{uuid,smallint,integer,bigint,text,character varying}'::text[], '/p_map/id', p_map -> 'id'),
      ('name', true, '{text,character varying,character}', '/p_map/name', p_map -> 'name'),
      ('price', true, '{smallint,integer,bigint,numeric,real,double precision}', '/p_map/price', p_map -> 'price'),
      ('currency', not v_is_currency, '{text,character varying,character}', '/p_map/currency', case when not v_is_currency then p_map -> 'currency' end),
      ('active', v_is_listed, case when v_is_listed then null else '{boolean}'::text[] end,
        case when v_is_listed then '/p_map/active/column' else '/p_map/active' end,
        case when v_is_listed then p_map -> 'active' -> 'column' else p_map -> 'active' end),
      ('quantity', false, '{smallint,integer,bigint,numeric,real,double precision}', '/p_map/quantity', p_map -> 'quantity')
    ) e (key, required, types, pointer, value)
  loop
    if v_entry.value is null then
      if v_entry.required then
        v_problems := v_problems || interlock.problem(v_entry.pointer, case v_entry.key
          when 'currency' then 'is required: a column, or {"is": "EUR"}'
          else 'is required: the name of a column'
        end);
      end if;
      continue;
    end if;
    v_problems := v_problems || interlock.find_column_problems(
      p_source, v_entry.pointer, v_entry.value, v_entry.types, v_entry.key = 'id', v_entry.key = 'quantity' and p_write_back
    );
  end loop;
  return v_problems;
end
$$;
