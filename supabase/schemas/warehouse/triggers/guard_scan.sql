-- Hold that the history of a line has all its numbers, or none of them. Not a CHECK: Postgres reads one anew at each scan, which takes longer than this.
--
-- Callers: trigger packing_scans_guard.
-- Locks: none.
-- Errors: 23514 check_violation with constraint name packing_scans_line_whole (a bug).
create function interlock.guard_scan()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if num_nulls(new.quantity_packed, new.quantity_needed, new.quantity_short, new.version) not in (0, 4) then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'packing_scans_line_whole',
      message = 'the history of a line has all its numbers, or none of them';
  end if;
  return new;
end
$$;
