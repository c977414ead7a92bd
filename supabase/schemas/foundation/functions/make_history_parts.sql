-- Make the next part of a history that has less than half of one ahead; answers how many it made, 0 or 1: call it until it
-- answers 0. How large parts are says settings.history_part_rows.
--
-- Where somebody holds what it needs for longer than 50 ms, that history is the next call's. A sale never waits for longer than that,
-- and never needs a part: see interlock.make_history_part.
--
-- Callers: the jobs of interlock.jobs; public.arrange_history.
-- Locks: see interlock.make_history_part, waiting 50 ms for each.
-- Security definer: parts belong to whom their table belongs to.
create function interlock.make_history_parts()
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_rows constant bigint := (select max(s.history_part_rows) from interlock.settings s);
  v_history record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if v_rows is null then
    return 0;
  end if;

  for v_history in select h.* from interlock.histories() h loop
    begin
      if interlock.make_history_part(v_history.name, v_history.position_column, v_history.sequence, v_rows) then
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
