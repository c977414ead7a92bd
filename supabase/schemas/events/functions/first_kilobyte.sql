-- What of a text fits into a kilobyte of UTF-8, by whole characters.
--
-- Callers: interlock.record_delivery.
create function interlock.first_kilobyte(p_text text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_text text := nullif(left(p_text, 1024), '');
begin
  while octet_length(v_text) > 1024 loop
    v_text := left(v_text, -greatest((octet_length(v_text) - 1024) / 4, 1));
  end loop;
  return v_text;
end
$$;
