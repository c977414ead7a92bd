-- What is wrong with a member of a line of inventory, in words; null if nothing is.
--
-- Callers: interlock.find_inventory_problems.
create function interlock.find_member_problem(p_value jsonb, p_kind text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_number numeric;
begin
  if p_kind = 'id' then
    return case
      when jsonb_typeof(p_value) <> 'string' or interlock.to_uuid(p_value #>> '{}') is null then 'must be a UUID'
    end;
  elsif p_kind = 'time' then
    return case
      when jsonb_typeof(p_value) <> 'string' or interlock.to_time(p_value #>> '{}') is null then
        'must be a date with time and zone, as 2026-11-28T12:00:00Z'
      else interlock.find_began_problem(interlock.to_time(p_value #>> '{}'))
    end;
  elsif jsonb_typeof(p_value) <> 'number' then
    return 'must be a number';
  end if;

  v_number := (p_value #>> '{}')::numeric;
  return case p_kind
    when 'version' then
      case when v_number <> trunc(v_number) or v_number not between 0 and 9007199254740991 then
        'must be a whole number from 0 to 9007199254740991'
      end
    when 'change' then
      case when v_number = 0 then 'must not be 0' else interlock.find_quantity_problem(v_number, -99999999999.999) end
    when 'amount' then interlock.find_quantity_problem(v_number)
    when 'seen' then interlock.find_quantity_problem(v_number, -99999999999.999)
    else interlock.find_quantity_problem(v_number, 0)
  end;
end
$$;
