-- Whether a text is one line of at most so many characters, outer blanks not counted.
-- The functions ask the same of a line (crates/domain/src/fields.rs).
--
-- Callers: domains of texts that people type, and whoever checks an argument that is one.
-- Locks: none.
create function interlock.is_line(p_text text, p_most int)
returns boolean
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
declare
  v_line constant text := btrim(
    p_text,
    U&'\0009\000a\000b\000c\000d\0020\0085\00a0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200a\2028\2029\202f\205f\3000'
  );
begin
  return char_length(v_line) between 1 and p_most
    and v_line collate "C" !~ '[\u0001-\u001f\u007f-\u009f]';
end
$$;
