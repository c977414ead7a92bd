-- The UUID that a text is; null if it is none.
--
-- Callers: functions that read what others have written.
create function interlock.to_uuid(p_text text)
returns uuid
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return case
    when p_text ~ '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$' then p_text::uuid
  end;
end
$$;
