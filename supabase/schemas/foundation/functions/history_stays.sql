-- Whether anything in a part of a history has to stay: it is younger than the settings have it kept, or one of the history's conditions holds.
-- Each is asked alone, so that it is a join, and ends at the first row; of rows that belong together the last is asked, which an index tells.
--
-- Callers: interlock.archive_history, interlock.purge_parts.
-- Locks: none.
create function interlock.history_stays(p_part regclass, p_before timestamptz, p_stays text[], p_together text, p_column text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  v_condition text;
  v_found boolean;
begin
  execute format('select exists (select from %s h where h.created_at >= $1)', p_part) into v_found using p_before;
  foreach v_condition in array p_stays loop
    exit when v_found;
    execute format(
      case when p_together is null then 'select exists (select from %1$s h where %2$s)'
      else 'select exists (select from (select %3$s, max(%4$I) as %4$I from %1$s group by %3$s) h where %2$s)' end,
      p_part, v_condition, p_together, p_column
    )
    into v_found;
  end loop;
  return v_found;
end
$$;
