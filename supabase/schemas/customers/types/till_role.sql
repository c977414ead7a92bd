-- What the caller is at a till: `manager` (managers and staff by token, the shop itself), `cashier` (by token), or nothing.
-- The role is app_metadata.role, which only the shop can set; the account must exist.
--
-- Callers: policies; interlock.require_till.
create function interlock.till_role()
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return case
    when interlock.acts_for_shop() then 'manager'
    when auth.jwt() -> 'app_metadata' ->> 'role' in ('cashier', 'manager')
      and exists (select from interlock.accounts u where u.id = auth.uid())
    then auth.jwt() -> 'app_metadata' ->> 'role'
  end;
end
$$;
