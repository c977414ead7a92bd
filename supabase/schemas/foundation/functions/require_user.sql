-- The signed-in user, whose account exists: a token outlives the account by up to an hour.
--
-- Callers: functions that buyers and drivers call, where no foreign key to the account refuses them.
-- Errors: UNAUTHENTICATED.
create function interlock.require_user()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  v_user_id constant uuid := auth.uid();
begin
  if not exists (select from interlock.accounts u where u.id = v_user_id) then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  return v_user_id;
end
$$;
