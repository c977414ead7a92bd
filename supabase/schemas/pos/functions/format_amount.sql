-- An amount in minor units as people read it, without its currency.
--
-- Callers: interlock.receipt_rows, interlock.mail_rows, interlock.format_money.
-- Locks: none.
create function interlock.format_amount(p_amount bigint, p_currency text, p_language text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select interlock.format_number(round(p_amount / 10::numeric ^ d.decimals, d.decimals), p_language)
    from (select interlock.currency_decimals(p_currency) as decimals) d
  );
end
$$;
