-- The amount of money that a member of what others have written is, in minor units; null if it is none.
--
-- Callers: functions that read what others have written.
create function interlock.to_amount(p_value jsonb)
returns bigint
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return case when interlock.is_amount(p_value) then p_value::numeric::bigint end;
end
$$;
