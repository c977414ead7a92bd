-- An e-mail address as people type it in its normal form, lower case; null where it is none.
--
-- Callers: whoever reads or looks for an e-mail address.
create function interlock.normal_email(p_text text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_address constant text := interlock.normal_text(p_text);
begin
  return case when v_address ~ '^[^@\s]+@[^@\s]+[.][^@\s]+$' and char_length(v_address) <= 254 then v_address end;
end
$$;
