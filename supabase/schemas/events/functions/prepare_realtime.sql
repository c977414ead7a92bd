-- Let those hear our broadcasts who may (interlock.may_hear), where the platform's realtime is there. Returns whether it is; called again
-- it changes nothing. Called when this is installed; if realtime comes later, call it once yourself:
--
--   select interlock.prepare_realtime();
--
-- Callers: the installation; postgres.
create function interlock.prepare_realtime()
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if to_regclass('realtime.messages') is null or to_regprocedure('realtime.topic()') is null then
    return false;
  end if;
  drop policy if exists interlock_select_listeners on realtime.messages;
  create policy interlock_select_listeners
    on realtime.messages
    for select
    to anon, authenticated
    using (extension = 'broadcast' and interlock.may_hear(realtime.topic()));
  return true;
end
$$;
