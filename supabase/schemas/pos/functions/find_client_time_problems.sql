-- What is wrong with the time at which a till that was cut off says to have done something: it must not be in the future, but
-- for clocks that differ by five minutes, nor more than 30 days ago.
--
-- Callers: interlock.pos_sale, interlock.open_shift.
create function interlock.find_client_time_problems(p_client_time timestamptz, p_pointer text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when p_client_time > interlock.clock() + interval '5 minutes' then
      interlock.problem(p_pointer, 'must not be in the future')
    when p_client_time < interlock.clock() - interval '30 days' then
      interlock.problem(p_pointer, 'must be in the last 30 days')
    else '[]'
  end;
end
$$;
