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
  return case when interlock.is_uuid(p_text) then p_text::uuid end;
end
$$;
