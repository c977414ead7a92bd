-- Archive a part of a history in which everything is older than the settings have it kept, and nothing is what interlock.purge_history
-- would keep; answers how many it archived, 0 or 1: call it until it answers 0. What is in it is no longer read by anything: it is the
-- shop's to dump and to drop (docs/operations.md).
--
-- Callers: the jobs of interlock.jobs; public.arrange_history.
-- Locks: the part, in which nobody writes any more but a purge and an erasure; interlock.lock_history; waiting 50 ms for each. Where
--   somebody holds them for longer, the part is the next call's.
-- Security definer: parts belong to whom their table belongs to.
create function interlock.archive_history()
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_part record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_part in
    select h.name, p.part, interlock.clock() - h.keep as before, h.stays, h.together, h.position_column
    from interlock.histories() h
    cross join lateral interlock.history_parts(h.name) p
    where h.keep is not null
      and p.after <= pg_sequence_last_value(h.sequence::regclass)
    order by h.name, p.after
  loop
    -- Asked before anything is locked, which is the answer for nearly all; and again when nothing can come to it any more.
    if interlock.history_stays(v_part.part, v_part.before, v_part.stays, v_part.together, v_part.position_column) then
      continue;
    end if;
    begin
      execute format('lock table %s in share row exclusive mode', v_part.part);
      if not interlock.history_stays(v_part.part, v_part.before, v_part.stays, v_part.together, v_part.position_column) then
        perform interlock.archive_history_part(v_part.name, v_part.part);
        return 1;
      end if;
    exception
      when lock_not_available then
        -- The next call's.
        null;
    end;
  end loop;
  return 0;
end
$$;
