-- The tax on an amount, half a minor unit rounded up: a share of it where it is in the amount, else what is added.
--
-- Exact: one division of whole numbers, in which nothing is rounded before the end.
--
-- Callers: interlock.charge_order.
create function interlock.tax_of(p_amount bigint, p_percent numeric, p_inclusive boolean)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_inclusive then div(2 * p_amount * p_percent + 100 + p_percent, 2 * (100 + p_percent))
    else div(2 * p_amount * p_percent + 100, 200)
  end::bigint;
end
$$;
