-- What keeps orders from being written to a table as the map says, before a row is tried: each with a pointer into the map.
--
-- Callers: interlock.link_orders, interlock.order_drift.
-- Locks: none.
create function interlock.find_order_link_problems(p_target regclass, p_map jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := interlock.find_table_problems(p_target, '/p_target');
  v_entry record;
begin
  if not exists (select from pg_catalog.pg_class c where c.oid = p_target) then
    return v_problems;
  end if;
  if jsonb_typeof(p_map) is distinct from 'object' then
    return v_problems || interlock.problem('/p_map', 'must be an object: {"id": "interlock_id", "status": "status", "total": "amount", …}');
  end if;
  select v_problems || coalesce(jsonb_agg(jsonb_build_object('pointer', '/p_map/' || k.key, 'message', 'is unknown') order by k.key), '[]')
  into v_problems
  from jsonb_object_keys(p_map) as k (key)
  where k.key <> 'unit'
    and k.key not in (select f.field from interlock.order_fields() f);
  if not p_map ? 'id' then
    v_problems := v_problems || interlock.problem('/p_map/id', 'is required: the column that has the id of the order');
  end if;
  if exists (select from interlock.order_fields() f where f.money and p_map ? f.field)
    and (p_map ->> 'unit' is null or p_map ->> 'unit' not in ('major', 'minor'))
  then
    v_problems := v_problems || interlock.problem('/p_map/unit', 'must be major (19.99) or minor (1999)');
  end if;

  for v_entry in
    select
      f.field, f.types, f.optional, '/p_map/' || f.field as pointer, p_map -> f.field as value,
      interlock.column_of(p_map -> f.field) as column_name
    from interlock.order_fields() f
    where p_map ? f.field
  loop
    if jsonb_typeof(v_entry.value) = 'object' and (
      jsonb_typeof(v_entry.value -> 'as') is distinct from 'object'
      or jsonb_path_exists(v_entry.value -> 'as', '$.* ? (@.type() != "string")')
    ) then
      v_problems := v_problems || interlock.problem(
        v_entry.pointer || '/as', 'must say which word becomes which: {"pending_payment": "pending"}'
      );
    end if;
    v_problems := v_problems || interlock.find_column_problems(
      p_target, v_entry.pointer, coalesce(to_jsonb(v_entry.column_name), 'null'), v_entry.types, v_entry.field = 'id', true
    );
    if v_entry.optional and exists (
      select
      from pg_catalog.pg_attribute a
      where a.attrelid = p_target
        and a.attname = v_entry.column_name
        and a.attnotnull
    ) then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        '%I has to be able to be empty%s: alter table %s alter %1$I drop not null', v_entry.column_name,
        case when v_entry.field in ('user', 'customer') then ', as an order outlives its buyer''s account' end,
        interlock.source_name(p_target)
      ));
    end if;
  end loop;

  select v_problems || coalesce(jsonb_agg(jsonb_build_object(
    'pointer', '/p_map',
    'message', format('%I of %s must be filled, and nothing does: give it a default', q.attname, interlock.source_name(p_target))
  ) order by q.attname), '[]')
  into v_problems
  from (
    select a.attname
    from pg_catalog.pg_attribute a
    where a.attrelid = p_target
      and a.attnum > 0
      and a.attnotnull
      and not a.atthasdef
      and a.attidentity = ''
      and a.attname not in (
        select interlock.column_of(e.value) from jsonb_each(p_map) e where interlock.column_of(e.value) is not null
      )
  ) q;
  select v_problems || coalesce(jsonb_agg(jsonb_build_object(
    'pointer', '/p_map', 'message', format('%I can be one field only', q.name)
  ) order by q.name), '[]')
  into v_problems
  from (
    select interlock.column_of(e.value) as name
    from jsonb_each(p_map) e
    where e.key <> 'unit'
    group by 1
    having count(*) > 1
  ) q
  where q.name is not null;
  return v_problems;
end
$$;
