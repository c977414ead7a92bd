-- The column that an entry of a map names: a text, or the member `column` of an object.
--
-- Callers: interlock.find_order_link_problems, interlock.order_row and what writes its rows.
-- Locks: none.
create function interlock.column_of(p_entry jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case jsonb_typeof(p_entry) when 'string' then p_entry #>> '{}' when 'object' then p_entry ->> 'column' end;
end
$$;
