-- Whether the platform's realtime is there, so that it is worth making a message. Asked by triggers before they call anything:
-- a scan or a claim where it is not would pay for the message.
--
-- Callers: interlock.broadcast; triggers of tables that are written often, as whoever writes them.
-- Locks: none.
create function interlock.has_realtime()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return to_regprocedure('realtime.send(jsonb,text,text,boolean)') is not null;
end
$$;
