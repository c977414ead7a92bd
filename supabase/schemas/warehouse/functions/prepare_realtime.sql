-- Broadcast each change of a line to whoever works at its session's location, where the platform's realtime is there: the private topic
-- `packing:SESSION_ID`. Returns whether it is; called again it changes nothing. Called when this is installed; if realtime comes
-- later, call it once yourself:
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
  if to_regclass('realtime.messages') is null or to_regprocedure('realtime.topic()') is null
    or to_regprocedure('realtime.send(jsonb,text,text,boolean)') is null then
    return false;
  end if;
  drop policy if exists interlock_packing_select_workers on realtime.messages;
  create policy interlock_packing_select_workers
    on realtime.messages
    for select
    to authenticated
    using (extension = 'broadcast' and interlock.may_hear_packing(realtime.topic()));
  create or replace trigger packing_progress_broadcast
    after update on interlock.packing_progress
    for each row
    when (old.version <> new.version)
    execute function interlock.broadcast_packing();
  return true;
end
$$;
