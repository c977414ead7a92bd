-- A path with its placeholders filled in, each as one part of it: whatever is no letter, digit, -, _, . or ~ is written by its bytes. What is
-- not there, or would be a step in the path, is refused.
--
-- Callers: interlock.mapped_call.
-- Locks: none.
-- Errors: P0001, which ends the delivery.
create function interlock.fill_path(p_path text, p_facts jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_path text := '';
  v_value text;
  v_part record;
begin
  for v_part in
    select s.part, s.n % 2 = 0 as is_name from regexp_split_to_table(p_path, '\{\{|\}\}') with ordinality as s (part, n) order by s.n
  loop
    if not v_part.is_name then
      v_path := v_path || v_part.part;
      continue;
    end if;
    v_value := p_facts #>> string_to_array(btrim(v_part.part), '.');
    if coalesce(v_value, '') in ('', '.', '..') then
      raise exception 'there is no %', btrim(v_part.part);
    end if;
    v_path := v_path || (
      select string_agg(
        case
          when b.byte ~ '^[A-Za-z0-9._~-]$' then b.byte
          else regexp_replace(upper(encode(convert_to(b.byte, 'UTF8'), 'hex')), '(..)', '%\1', 'g')
        end,
        '' order by b.n
      )
      from regexp_split_to_table(v_value, '') with ordinality as b (byte, n)
    );
  end loop;
  return v_path;
end
$$;
