-- What is wrong with a quantity that somebody gives, in words; null if nothing is. With no p_least it must be above 0.
--
-- Callers: functions that move stock, before it meets a column that would round it.
create function interlock.find_quantity_problem(p_quantity numeric, p_least numeric default null)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_quantity is null then 'is required'
    -- NaN is greater than every number.
    when p_quantity >= 100000000000 or p_quantity <= -100000000000 then 'must be a number below 100000000000'
    when p_quantity <> round(p_quantity, 3) then 'must have at most 3 decimals'
    when p_least is null and p_quantity <= 0 then 'must be above 0'
    when p_quantity < p_least then format('must be at least %s', p_least)
  end;
end
$$;
