-- The lines that a text takes in so many columns: broken at blanks, and within a word that is longer than a line.
--
-- Callers: interlock.receipt_as_text.
-- Locks: none.
create function interlock.wrap_text(p_text text, p_columns int)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_lines text[] := '{}'::text[];
  v_line text := '';
  v_word text;
  v_char text;
begin
  foreach v_word in array regexp_split_to_array(btrim(p_text), '\s+') loop
    if v_line <> '' and interlock.text_width(v_line || ' ' || v_word) > p_columns then
      v_lines := v_lines || v_line;
      v_line := '';
    end if;
    v_word := ltrim(v_line || ' ' || v_word);
    v_line := '';
    foreach v_char in array string_to_array(v_word, null) loop
      if interlock.text_width(v_line || v_char) > p_columns then
        v_lines := v_lines || v_line;
        v_line := '';
      end if;
      v_line := v_line || v_char;
    end loop;
  end loop;
  return v_lines || v_line;
end
$$;
