-- Refuse every update, delete and truncate of an append-only table, but for two things. interlock.purge_history deletes
-- from the table that it names in a setting of its transaction (whoever else may set that has no right to delete). And a
-- person whose account is gone may be taken out: an update that changes nothing but columns named by the trigger, each
-- from one who has no account to nobody (empty, or an id that is no account's).
--
-- Callers: triggers; made for more tables than this one. The arguments are the columns that name a person.
-- Errors: 23001 restrict_violation.
create function interlock.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' and current_setting('interlock.purging', true) = tg_table_name then
    return old;
  end if;

  if tg_op = 'UPDATE'
    and tg_nargs > 0
    and to_jsonb(new) - tg_argv = to_jsonb(old) - tg_argv
    and not exists (
      select
      from unnest(tg_argv) as c (name)
      join auth.users u on u.id in ((to_jsonb(old) ->> c.name)::uuid, (to_jsonb(new) ->> c.name)::uuid)
      where to_jsonb(new) -> c.name <> to_jsonb(old) -> c.name
    )
  then
    return new;
  end if;

  raise exception using
    errcode = 'restrict_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    message = format('%I.%I is append-only: %s refused', tg_table_schema, tg_table_name, lower(tg_op));
end
$$;
