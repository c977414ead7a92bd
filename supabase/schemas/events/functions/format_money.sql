-- An amount in minor units with its currency, as people read it; a blank that does not break stands between.
--
-- Callers: interlock.mail_values, interlock.mail_rows.
-- Locks: none.
create function interlock.format_money(p_amount bigint, p_currency text, p_language text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return interlock.format_amount(p_amount, p_currency, p_language) || U&'\00A0' || p_currency;
end
$$;
