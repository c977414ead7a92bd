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
  v_problems jsonb := '[]';
  v_class pg_catalog.pg_class;
  v_schema name;
  v_entry record;
  v_column pg_catalog.pg_attribute;
  v_type text;
  v_is_currency constant boolean := coalesce(jsonb_typeof(p_map -> 'currency') = 'object' and p_map -> 'currency' ? 'is', false);
  v_is_listed constant boolean := coalesce(jsonb_typeof(p_map -> 'active') = 'object' and p_map -> 'active' ? 'in', false);
begin
  select c.* into v_class from pg_catalog.pg_class c where c.oid = p_source;
  if not found then
    return interlock.problem('/p_source', 'is no table: name it with its schema, such as public.products');
  end if;
  select n.nspname into v_schema from pg_catalog.pg_namespace n where n.oid = v_class.relnamespace;
  if v_schema ~ '^pg_' or v_schema in (
    'information_schema', 'interlock', 'auth', 'storage', 'vault', 'realtime', 'cron', 'net', 'extensions', 'graphql',
    'supabase_functions', 'supabase_migrations'
  ) or v_class.relkind <> 'r' or v_class.relispartition or v_class.relhassubclass or v_class.relpersistence = 't' then
    v_problems := v_problems || interlock.problem(
      '/p_source', 'must be an ordinary table of yours: no view, no partition or parent, and none of the platform or of Interlock'
    );
  end if;
  if not pg_catalog.pg_has_role(
    (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'interlock'), v_class.relowner, 'usage'
  ) then
    v_problems := v_problems || interlock.problem(
      '/p_source', format('belongs to %I: alter table %s owner to postgres', v_class.relowner::regrole, interlock.source_name(p_source))
    );
  elsif v_class.relforcerowsecurity then
    v_problems := v_problems || interlock.problem('/p_source', format(
      'its row security holds its owner, too: alter table %s no force row level security', interlock.source_name(p_source)
    ));
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
    select a.* into v_column
    from pg_catalog.pg_attribute a
    where a.attrelid = p_source
      and a.attname = v_entry.value #>> '{}'
      and a.attnum > 0
      and not a.attisdropped;
    if jsonb_typeof(v_entry.value) <> 'string' or not found then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        'names no column of %s: it has %s', interlock.source_name(p_source),
        (
          select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
          from pg_catalog.pg_attribute a
          where a.attrelid = p_source and a.attnum > 0 and not a.attisdropped
        )
      ));
      continue;
    end if;
    -- Of a domain what it is made of.
    with recursive made_of (oid, base) as (
      select t.oid, t.typbasetype from pg_catalog.pg_type t where t.oid = v_column.atttypid
      union all
      select t.oid, t.typbasetype from made_of m join pg_catalog.pg_type t on t.oid = m.base
    )
    select pg_catalog.format_type(m.oid, null) into v_type from made_of m where m.base = 0;
    if v_type <> all (v_entry.types) then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        '%I is %s, and must be %s', v_column.attname, v_type, array_to_string(v_entry.types, ', ')
      ));
    elsif v_entry.key = 'id' and not exists (
      select
      from pg_catalog.pg_index i
      where i.indrelid = p_source
        and i.indisunique
        and i.indisvalid
        and i.indpred is null
        and i.indnkeyatts = 1
        and i.indkey[0] = v_column.attnum
    ) then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        '%I has no unique constraint of its own: alter table %s add unique (%1$I)', v_column.attname, interlock.source_name(p_source)
      ));
    elsif v_entry.key = 'quantity' and p_write_back and v_column.attgenerated <> '' then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        '%I is generated, so nothing can be written to it', v_column.attname
      ));
    end if;
  end loop;
  return v_problems;
end
$$;
