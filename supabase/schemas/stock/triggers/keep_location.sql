-- Refuse another id for a location, and the removal of the web shop: ledgers and orders mean it by its id.
--
-- Callers: two triggers on locations.
-- Errors: 23514 check_violation with the name of the trigger as that of the constraint.
create function interlock.keep_location()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'check_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = tg_name,
    message = format('%s of location %s refused', lower(tg_op), old.id),
    hint = 'Give the location another name, or close it: active = false.';
end
$$;
