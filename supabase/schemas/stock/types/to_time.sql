-- The moment that a text is, in ISO 8601 with its zone; null if it is none.
--
-- Callers: functions that read what others have written.
create function interlock.to_time(p_text text)
returns timestamptz
language plpgsql
stable
strict
set search_path = ''
as $$
begin
  return case
    when p_text ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$'
      then p_text::timestamptz
  end;
exception
  when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
    return null;
end
$$;
