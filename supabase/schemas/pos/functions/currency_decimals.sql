-- How many decimals the amounts of a currency have, by ISO 4217.
--
-- Callers: interlock.format_amount.
-- Locks: none.
create function interlock.currency_decimals(p_currency text)
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_currency in (
      'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'
    ) then 0
    when p_currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3
    when p_currency in ('CLF', 'UYW') then 4
    else 2
  end;
end
$$;
