-- What is wrong with mappings of events to calls of a CRM; an empty list if nothing is.
--
-- Callers: interlock.set_crm_mappings.
-- Locks: none.
-- Not compiled (jit): its steps are expected to give far more than they do, and on Postgres 15 compiling took seconds.
create function interlock.find_crm_problems(p_mappings jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
set jit = off
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_one record;
  v_at text;
  v_wrong text;
begin
  if jsonb_typeof(p_mappings) <> 'array' or jsonb_array_length(p_mappings) > 50 then
    return interlock.problem('/p_mappings', 'must be a list of at most 50');
  end if;
  for v_one in select m.mapping, m.n - 1 as place from jsonb_array_elements(p_mappings) with ordinality as m (mapping, n) loop
    v_at := '/p_mappings/' || v_one.place;
    if jsonb_typeof(v_one.mapping) <> 'object' or v_one.mapping - '{event_type,method,path,body}'::text[] <> '{}' then
      v_problems := v_problems || interlock.problem(v_at, 'must be {event_type, method?, path, body}');
      continue;
    end if;
    if (jsonb_typeof(v_one.mapping -> 'event_type') = 'string'
      and v_one.mapping ->> 'event_type' ~ '^[a-z_]+[.][a-z_]+$' and char_length(v_one.mapping ->> 'event_type') <= 60) is not true
    then
      v_problems := v_problems || interlock.problem(v_at || '/event_type', 'must be a type of events, as customer.changed');
    elsif exists (
      select from jsonb_path_query(p_mappings, 'strict $[*].event_type', silent => true) with ordinality as t (type, n)
      where t.type = v_one.mapping -> 'event_type' and t.n - 1 < v_one.place
    ) then
      v_problems := v_problems || interlock.problem(v_at || '/event_type', 'must be one that no other has');
    end if;
    if coalesce(v_one.mapping ->> 'method', 'POST') not in ('POST', 'PUT', 'PATCH') then
      v_problems := v_problems || interlock.problem(v_at || '/method', 'must be POST, PUT or PATCH');
    end if;
    if (jsonb_typeof(v_one.mapping -> 'path') = 'string'
      and v_one.mapping ->> 'path' ~ '^/[^#\\[:space:][:cntrl:]]*$' and char_length(v_one.mapping ->> 'path') <= 500) is not true
    then
      v_problems := v_problems || interlock.problem(v_at || '/path', 'must be a path of the API, as /contacts/{{customer.id}}');
    end if;
    if (jsonb_typeof(v_one.mapping -> 'body') = 'object' and octet_length((v_one.mapping -> 'body')::text) <= 20000) is not true then
      v_problems := v_problems || interlock.problem(v_at || '/body', 'must be an object of at most 20000 bytes');
    end if;
    -- Whatever stands in braces, in the path or anywhere in the body, and what lists are made of.
    select coalesce(min(p.name), min(p.braces)) into v_wrong
    from (
      select
        case when s.n % 2 = 0 and btrim(s.part) !~ '^(event|data|customer|item)([.][a-z0-9_]+)+$' and btrim(s.part) <> 'item' then s.part end
          as name,
        case when s.n % 2 = 1 and s.part ~ '[{}]' or max(s.n) over (partition by t.n) % 2 = 0 then t.text end as braces
      from (
        select row_number() over () as n, v.value #>> '{}' as text
        from jsonb_path_query(v_one.mapping - 'event_type', '$.** ? (@.type() == "string")') as v (value)
      ) t
      cross join lateral regexp_split_to_table(t.text, '\{\{|\}\}') with ordinality as s (part, n)
      union all
      select e.name #>> '{}', null
      from jsonb_path_query(v_one.mapping -> 'body', '$.**."$each"') as e (name)
      where (e.name #>> '{}' ~ '^(data|item)([.][a-z0-9_]+)+$') is not true
    ) p;
    if v_wrong is not null then
      v_problems := v_problems || interlock.problem(
        v_at, format('must name event.…, data.…, customer.… or item.… in {{ }}, not %s', left(v_wrong, 100))
      );
    end if;
  end loop;
  return v_problems;
end
$$;
