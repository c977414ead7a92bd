-- What keeps a table from being linked to the customers as the map says, before any of its rows is looked at: each with a pointer
-- into the map. With p_on_erase = 'clear' what is personal in it has to be able to be empty.
--
-- Callers: interlock.link_customers, interlock.customer_drift.
-- Locks: none.
create function interlock.find_customer_link_problems(p_source regclass, p_map jsonb, p_on_erase text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := interlock.find_table_problems(p_source, '/p_source');
  v_entry record;
  v_is_listed constant boolean := coalesce(jsonb_typeof(p_map -> 'marketing') = 'object', false);
  v_texts constant text[] := '{text,character varying,character}'::text[];
begin
  if not exists (select from pg_catalog.pg_class c where c.oid = p_source) then
    return v_problems;
  end if;
  if jsonb_typeof(p_map) is distinct from 'object' then
    return v_problems || interlock.problem('/p_map', 'must be an object: {"id": "id", "name": "full_name", "email": "email", …}');
  end if;
  select v_problems || coalesce(jsonb_agg(jsonb_build_object('pointer', '/p_map/' || k.key, 'message', 'is unknown') order by k.key), '[]')
  into v_problems
  from jsonb_object_keys(p_map) as k (key)
  where k.key <> all ('{id,name,email,phone,user,marketing}'::text[]);
  if not p_map ?| '{email,phone,user}' then
    v_problems := v_problems || interlock.problem('/p_map', 'must have an email, a phone or a user: by these a till finds somebody');
  end if;
  if v_is_listed and (
    jsonb_typeof(p_map -> 'marketing' -> 'in') is distinct from 'array' or p_map -> 'marketing' -> 'in' = '[]'
    or jsonb_path_exists(p_map -> 'marketing' -> 'in', '$[*] ? (@.type() != "string")')
  ) then
    v_problems := v_problems || interlock.problem('/p_map/marketing/in', 'must be the values that mean yes: ["opt-in"]');
  end if;

  for v_entry in
    select e.key, e.types, e.pointer, e.value
    from (
      values
        ('id', '{uuid,smallint,integer,bigint,text,character varying}'::text[], '/p_map/id', coalesce(p_map -> 'id', 'null')),
        ('email', v_texts || '{public.citext,extensions.citext,citext}'::text[], '/p_map/email', p_map -> 'email'),
        ('phone', v_texts, '/p_map/phone', p_map -> 'phone'),
        ('user', '{uuid}', '/p_map/user', p_map -> 'user'),
        ('marketing', case when not v_is_listed then '{boolean}'::text[] end,
          case when v_is_listed then '/p_map/marketing/column' else '/p_map/marketing' end,
          case when v_is_listed then coalesce(p_map -> 'marketing' -> 'column', 'null') else p_map -> 'marketing' end)
      union all
      select 'name', v_texts, '/p_map/name', n.value
      from jsonb_array_elements(
        case jsonb_typeof(p_map -> 'name') when 'array' then p_map -> 'name' else jsonb_build_array(p_map -> 'name') end
      ) as n (value)
      where p_map ? 'name'
    ) e (key, types, pointer, value)
    where e.value is not null
  loop
    v_problems := v_problems || interlock.find_column_problems(
      p_source, v_entry.pointer, v_entry.value, v_entry.types, v_entry.key = 'id', p_on_erase = 'clear' and v_entry.key <> 'id'
    );
    if p_on_erase = 'clear' and v_entry.key in ('name', 'email', 'phone', 'user')
      and v_entry.value <> coalesce(p_map -> 'id', 'null')
      and exists (
        select
        from pg_catalog.pg_attribute a
        where a.attrelid = p_source
          and a.attname = v_entry.value #>> '{}'
          and a.attnotnull
      )
    then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        '%I cannot be empty, so nobody can be taken out of it: alter table %s alter %1$I drop not null, or p_on_erase => ''delete''',
        v_entry.value #>> '{}', interlock.source_name(p_source)
      ));
    end if;
  end loop;
  return v_problems;
end
$$;
