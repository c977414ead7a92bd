-- Refuse every update, delete and truncate of an append-only table.
--
-- Callers: triggers; made for more tables than this one.
-- Errors: 23001 restrict_violation.
create function interlock.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'restrict_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    message = format('%I.%I is append-only: %s refused', tg_table_schema, tg_table_name, lower(tg_op));
end
$$;
