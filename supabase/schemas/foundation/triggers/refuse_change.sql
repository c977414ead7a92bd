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
declare
  -- Of a part its history.
  v_table text := tg_table_name;
  v_schema text := tg_table_schema;
begin
  if tg_table_schema = 'interlock_parts' then
    select c.relname, c.relnamespace::regnamespace
    into v_table, v_schema
    from pg_catalog.pg_class c
    where c.oid = pg_catalog.pg_partition_root(tg_relid);
  end if;

  if tg_op = 'DELETE' and current_setting('interlock.purging', true) = v_table then
    return old;
  end if;

  if tg_op = 'UPDATE'
    and tg_nargs > 0
    and to_jsonb(new) - tg_argv = to_jsonb(old) - tg_argv
    and not exists (
      select
      from unnest(tg_argv) as c (name)
      join interlock.accounts u on u.id in ((to_jsonb(old) ->> c.name)::uuid, (to_jsonb(new) ->> c.name)::uuid)
      where to_jsonb(new) -> c.name <> to_jsonb(old) -> c.name
    )
  then
    return new;
  end if;

  raise exception using
    errcode = 'restrict_violation',
    schema = v_schema,
    table = v_table,
    message = format('%I.%I is append-only: %s refused', v_schema, v_table, lower(tg_op));
end
$$;
