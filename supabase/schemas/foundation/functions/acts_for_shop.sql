-- Whether the caller acts for the shop: the service role, or staff by token. The role setting is the role of the
-- request; it stays when a definer function begins.
create function interlock.acts_for_shop()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return current_setting('role') = 'service_role' or interlock.is_staff();
end
$$;
