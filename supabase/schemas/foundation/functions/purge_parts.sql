-- Remove of a history that has parts what interlock.purge_history says, at most p_limit rows; answers how many.
--
-- What is over and has something younger is left alone: it goes as a whole (interlock.archive_history), and need not be read until then.
-- So rows are removed from the part that is being written, from the rest, and from what is old as a whole and stays for some of its rows.
--
-- Callers: interlock.purge_history.
-- Locks: the rows it deletes; those that somebody is using are passed over.
create function interlock.purge_parts(p_history text, p_limit int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_history record;
  v_part regclass;
  v_before timestamptz;
  v_purged int := 0;
  v_rows int;
begin
  select h.* into v_history from interlock.histories() h where h.name = p_history;
  v_before := interlock.clock() - v_history.keep;
  if v_before is null then
    return 0;
  end if;

  perform set_config('interlock.purging', p_history, true);
  for v_part in
    select p.part
    from interlock.history_parts(p_history) p
    where p.after > coalesce(pg_sequence_last_value(v_history.sequence::regclass), 0)
      or not interlock.history_stays(p.part, v_before, '{}', null, null)
    union all
    select format('interlock_parts.%I', p_history || '_rest')::regclass
  loop
    exit when v_purged >= p_limit;
    execute format(
      'delete from %1$s
       where ctid = any (array(
         select h.ctid from %1$s h where h.created_at < $1 and not (%2$s) limit $2 for update skip locked
       ))',
      v_part, array_to_string(v_history.stays, ') and not (')
    )
    using v_before, p_limit - v_purged;
    get diagnostics v_rows = row_count;
    v_purged := v_purged + v_rows;
  end loop;
  perform set_config('interlock.purging', '', true);
  return v_purged;
end
$$;
