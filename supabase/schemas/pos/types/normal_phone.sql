-- The form by which phone numbers are compared: digits, with a leading + where there is one; 00 at the beginning is a +.
--
-- Callers: indexes, and whoever looks for a customer.
create function interlock.normal_phone(p_phone text)
returns text
language sql
immutable
strict
parallel safe
set search_path = ''
as $$
  select regexp_replace(
    regexp_replace(normalize(p_phone, nfkc) collate "C", '[^0-9+]', '', 'g'),
    '^00', '+'
  )
$$;
