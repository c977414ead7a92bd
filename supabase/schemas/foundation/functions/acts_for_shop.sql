-- Whether the caller acts for the shop: the service role, staff by token (whose account exists), or a session of the
-- database itself (the SQL editor, a job of pg_cron, psql), which has no token at all.
--
-- A request of the API always has its role set, by whichever server made it, and that role stays in the setting when a
-- definer function begins. So a session of the database itself is one without a token whose role, its own if none was
-- set, has the rights of the service role: the role that the API connects as does not inherit them, anon and
-- authenticated do not have them. An owner who tries something out as a user (with a token in the settings) is that
-- user.
--
-- Callers: the functions that the shop may call; interlock.refuse_unless_shop for those that are for it alone.
create function interlock.acts_for_shop()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  v_role constant text := current_setting('role');
begin
  if v_role = 'service_role' then
    return true;
  elsif interlock.is_staff() then
    return exists (select from interlock.accounts u where u.id = auth.uid());
  end if;
  return num_nonnulls(auth.jwt(), auth.uid()) = 0
    -- A job that goes through many shops has taken the role of their owner.
    and pg_has_role(
      case when v_role in ('none', 'interlock_owner') then session_user else v_role::name end, 'service_role', 'usage'
    );
end
$$;
