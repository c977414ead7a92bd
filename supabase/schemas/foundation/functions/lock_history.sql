-- Take a history away from everybody else for the rest of the transaction, with the tables that its foreign keys name first:
-- a sale writes the order before its history.
--
-- Callers: interlock.make_history_part, interlock.archive_history_part.
-- Locks: as it says.
create function interlock.lock_history(p_history text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_table regclass;
begin
  for v_table in
    select distinct k.confrelid::regclass
    from pg_catalog.pg_constraint k
    where k.conrelid = format('interlock.%I', p_history)::regclass
      and k.contype = 'f'
  loop
    execute format('lock table only %s in access exclusive mode', v_table);
  end loop;
  execute format('lock table only interlock.%I in access exclusive mode', p_history);
end
$$;
