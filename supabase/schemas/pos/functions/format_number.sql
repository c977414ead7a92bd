-- A number as people read it in a language, with its thousands apart.
--
-- Callers: interlock.format_amount, interlock.receipt_rows.
-- Locks: none.
create function interlock.format_number(p_number numeric, p_language text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return translate(
    regexp_replace(split_part(p_number::text, '.', 1), '(\d)(?=(\d{3})+$)', '\1,', 'g')
      || substring(p_number::text from '\..*$|$'),
    ',.', case p_language when 'de' then '.,' else ',.' end
  );
end
$$;
