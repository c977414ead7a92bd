-- Take a part out of its history, into the schema interlock_archive, where it is a table of its owner's alone, of plain types, that nothing of
-- Interlock asks or needs any more. No row is read or written for that.
--
-- Callers: interlock.archive_history.
-- Locks: interlock.lock_history.
create function interlock.archive_history_part(p_history text, p_part regclass)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_name text := (select c.relname from pg_catalog.pg_class c where c.oid = p_part);
  v_statement text;
begin
  perform interlock.lock_history(p_history);
  execute format('alter table interlock.%I detach partition %s', p_history, p_part);
  -- Of many shops it is nobody's but the installation's any more.
  execute format('alter table %s owner to current_user, no force row level security', p_part);
  for v_statement in
    select format('drop policy %I on %s', p.polname, p_part)
    from pg_catalog.pg_policy p
    where p.polrelid = p_part
    union all
    select format('alter table %s drop constraint %I', p_part, k.conname)
    from pg_catalog.pg_constraint k
    where k.conrelid = p_part
      and k.contype = 'f'
    union all
    select format('drop trigger %I on %s', t.tgname, p_part)
    from pg_catalog.pg_trigger t
    where t.tgrelid = p_part
      and not t.tgisinternal
    union all
    select format('alter table %s alter column %I drop default', p_part, a.attname)
    from pg_catalog.pg_attribute a
    where a.attrelid = p_part
      and a.atthasdef
    union all
    -- All at once: each change of a type looks at every index again. A domain is stored as what it is made of.
    select format(
      'alter table %s %s', p_part,
      string_agg(format('alter column %I type %s', a.attname, format_type(t.typbasetype, t.typtypmod)), ', ')
    )
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid and t.typtype = 'd'
    where a.attrelid = p_part
      and a.attnum > 0
    having count(*) > 0
  loop
    execute v_statement;
  end loop;
  if to_regnamespace('interlock_archive') is null then
    create schema interlock_archive;
  end if;
  -- Of a part that was the rest, indexes are called after that, as those of others may be; and where Interlock was installed anew there may
  -- be an archive of before.
  if to_regclass(format('interlock_archive.%I', v_name)) is not null then
    v_name := v_name || '_' || p_part::oid;
    execute format('alter table %s rename to %I', p_part, v_name);
  end if;
  for v_statement in
    select format('alter index %s rename to %I', i.indexrelid::regclass, v_name || '_index_' || row_number() over (order by i.indexrelid))
    from pg_catalog.pg_index i
    where i.indrelid = p_part
  loop
    execute v_statement;
  end loop;
  execute format('alter table %s set schema interlock_archive', p_part);
end
$$;
