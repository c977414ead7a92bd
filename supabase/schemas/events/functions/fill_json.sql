-- A JSON template with its placeholders filled in. A text that is one placeholder becomes what there is, of whatever type; in any other text
-- it becomes text. `{"$each": "data.lines", "$item": …}` becomes a list: the template once for each of the list, which it finds
-- as `item`. Members for which there is nothing are left out.
--
-- Callers: interlock.mapped_call, itself.
-- Locks: none.
create function interlock.fill_json(p_template jsonb, p_facts jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_text text;
  v_name text;
begin
  case jsonb_typeof(p_template)
    when 'object' then
      if p_template ? '$each' then
        return (
          select jsonb_agg(interlock.fill_json(p_template -> '$item', p_facts || jsonb_build_object('item', i.item)) order by i.n)
          from jsonb_array_elements(p_facts #> string_to_array(p_template ->> '$each', '.')) with ordinality as i (item, n)
        );
      end if;
      return (
        select coalesce(jsonb_object_agg(f.name, f.value), '{}')
        from (select m.name, interlock.fill_json(m.value, p_facts) as value from jsonb_each(p_template) as m (name, value)) f
        where f.value <> 'null'
      );
    when 'array' then
      return (
        select coalesce(jsonb_agg(coalesce(interlock.fill_json(i.item, p_facts), 'null') order by i.n), '[]')
        from jsonb_array_elements(p_template) with ordinality as i (item, n)
      );
    when 'string' then
      v_text := p_template #>> '{}';
      v_name := substring(v_text from '^\{\{ *([a-z0-9_.]+) *\}\}$');
      if v_name is not null then
        return p_facts #> string_to_array(v_name, '.');
      end if;
      return (
        select to_jsonb(string_agg(
          case when s.n % 2 = 1 then s.part else p_facts #>> string_to_array(btrim(s.part), '.') end, '' order by s.n
        ))
        from regexp_split_to_table(v_text, '\{\{|\}\}') with ordinality as s (part, n)
      );
    else
      return p_template;
  end case;
end
$$;
