-- What the caller is at a till (interlock.till_role); whoever is nothing there is refused.
--
-- Callers: every function of the tills.
-- Errors: UNAUTHENTICATED without a user whose account exists, FORBIDDEN for one.
create function interlock.require_till()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_role constant text := interlock.till_role();
begin
  if v_role is null then
    perform interlock.require_user();
    perform interlock.raise_error('FORBIDDEN');
  end if;
  return v_role;
end
$$;
