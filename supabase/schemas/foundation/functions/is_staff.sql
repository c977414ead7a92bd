-- Whether the caller's token says that they are staff (app_metadata.role, which only the shop can set).
--
-- Callers: policies, and the functions of this schema.
create function interlock.is_staff()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(auth.jwt() -> 'app_metadata' ->> 'role' = 'staff', false);
end
$$;
