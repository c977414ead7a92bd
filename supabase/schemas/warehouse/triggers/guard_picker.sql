-- Hold that a lease on picking has somebody and an end, or neither. Not a CHECK: Postgres reads one anew at each scan, and this is asked only where a
-- lease is written.
--
-- Callers: trigger picking_session_items_guard_picker.
-- Locks: none.
-- Errors: 23514 check_violation with constraint name picking_session_items_picker_whole (a bug).
create function interlock.guard_picker()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if (new.picker_id is null) <> (new.picker_until is null) then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'picking_session_items_picker_whole',
      message = 'a lease on picking has somebody and an end, or neither';
  end if;
  return new;
end
$$;
