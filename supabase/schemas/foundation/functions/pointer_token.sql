-- A name as it stands in a JSON pointer: `~` and `/` escaped, and of a long one the beginning.
--
-- Callers: whatever tells of a field that it does not know.
create function interlock.pointer_token(p_name text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return replace(replace(left(p_name, 100), '~', '~0'), '/', '~1');
end
$$;
