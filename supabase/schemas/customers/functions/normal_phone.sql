-- A phone number as people type it in its normal form, E.164; null where it is none. `00` is a plus. A number without a country
-- gets that of settings.phone_prefix in place of its leading 0, or is none.
--
-- Callers: whoever reads or looks for a phone number.
create function interlock.normal_phone(p_text text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  -- What people write between the digits.
  v_number text := regexp_replace(interlock.normal_text(p_text), '[-()./‐-―−]', '', 'g');
begin
  if v_number like '00%' then
    v_number := '+' || substr(v_number, 3);
  elsif v_number like '0%' then
    v_number := (select s.phone_prefix from interlock.settings s) || substr(v_number, 2);
  end if;
  return case when v_number ~ '^\+[1-9][0-9]{6,14}$' then v_number end;
end
$$;
