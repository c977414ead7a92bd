-- Whether a member of a request is an amount of money: a whole number that JavaScript can read. Null if it is not there.
--
-- Callers: interlock.find_checkout_problems.
create function interlock.is_amount(p_value jsonb)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return case
    when jsonb_typeof(p_value) = 'number' then
      p_value::numeric between 0 and 9007199254740991
      and p_value::numeric = trunc(p_value::numeric)
    else false
  end;
end
$$;
