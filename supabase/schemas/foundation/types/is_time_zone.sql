-- Whether Postgres knows a time zone of this name. What it takes for a zone by its look is none: `UTC+2`, and
-- `Europe/Berlin+2`, lie west of Greenwich, which nobody means; and an abbreviation such as CEST has no summer time.
--
-- Callers: domain time_zone; settings.
-- Locks: none.
create function interlock.is_time_zone(p_name text)
returns boolean
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
begin
  if p_name collate "C" !~ '^(UTC|[A-Z][A-Za-z]*(/[A-Za-z_-]+)+)$' then
    return false;
  end if;

  return timestamp '2000-01-01' at time zone p_name is not null;
exception
  when invalid_parameter_value then
    return false;
end
$$;
