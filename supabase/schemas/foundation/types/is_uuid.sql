-- Whether a text is a UUID as programs write it.
--
-- Callers: whatever reads ids out of JSON.
create function interlock.is_uuid(p_text text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
begin
  return p_text ~ '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';
end
$$;
