-- Refuse a number of slots in the owner's row that is not the number of its slots: whoever trusts the row would
-- miss units that are granted. An owner that is deleted takes its slots along, unless something was used in
-- them.
--
-- Callers: triggers on the owners' tables, with the name of the column that has the number.
-- Locks: the row itself, locked by the statement; for a delete its slots, waiting.
-- Errors: 23514 check_violation with constraint name slots_counted.
create function interlock.guard_slots()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    delete from interlock.counter_slots s
    where s.owner_id = old.id
      and s.used = 0;
    if not exists (select from interlock.counter_slots s where s.owner_id = old.id) then
      return old;
    end if;
  elsif (to_jsonb(new) ->> tg_argv[0])::int
    = (select count(*) from interlock.counter_slots s where s.owner_id = new.id)
  then
    return new;
  end if;

  raise exception using
    errcode = 'check_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = 'slots_counted',
    message = format('%s of %s %s refused: its slots are in use', lower(tg_op), tg_table_name, coalesce(old.id, new.id)),
    hint = 'Change the number with set_stock_slots or set_promo_slots; 0 switches slots off.';
end
$$;
