-- Abandon picking sessions in which nobody has done anything for settings.session_idle; answers how many. Each is abandoned in a
-- sub-transaction of its own: one that somebody is working at is left as it is. What is left is the next call's: call it until it answers 0.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.abandon_stale_sessions.
-- Locks: as interlock.abandon_session, 50 milliseconds for each; what was abandoned stays locked until the transaction ends.
-- Security definer: nobody has the right to write sessions.
create function interlock.abandon_stale_sessions(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_session_id uuid;
  v_abandoned int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  for v_session_id in
    select s.id
    from interlock.picking_sessions s
    cross join interlock.settings t
    where s.ended_at is null
      and greatest(s.created_at, s.packing_started_at, (
        select max(c.created_at) from interlock.packing_scans c where c.picking_session_id = s.id
      )) < interlock.clock() - t.session_idle
    order by s.id
    limit greatest(coalesce(p_limit, 20), 0)
  loop
    begin
      perform interlock.abandon_session(v_session_id);
      v_abandoned := v_abandoned + 1;
    exception
      when lock_not_available or deadlock_detected then
        raise warning 'picking session % cannot be abandoned: % %', v_session_id, sqlstate, sqlerrm;
    end;
  end loop;
  return v_abandoned;
end
$$;
