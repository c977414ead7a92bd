-- The normal form of a digital key: one product has each key once, however it was entered (blanks around it, another
-- case, full-width letters, a dash that a word processor has made of a hyphen). A hyphen counts: A-11 and A1-1 are two
-- keys. What is delivered is what was entered.
--
-- Callers: the index product_codes_once, interlock.replace_product_code.
-- Locks: none.
create function interlock.normal_code(p_code text)
returns text
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
begin
  return translate(interlock.normal_text(p_code), U&'\2010\2012\2013\2014\2015\2212', '------');
end
$$;
