-- Undo interlock.serve_shops: keys, indexes, rights and owners are as they were installed, and nothing knows of a shop key any more.
-- Only where there is one shop, or no row of another.
--
-- Callers: postgres.
-- Locks: every table of interlock, exclusively, until it is done.
-- Errors: P0001 if another shop has rows.
create function interlock.serve_one_shop()
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_table record;
  v_statement text;
  v_after text[] := array[]::text[];
  v_found boolean;
begin
  if not interlock.serves_shops() then
    return;
  end if;
  perform set_config('interlock.shop', '1', true);
  for v_table in select t.* from interlock.keyed_tables() t where not t.is_part loop
    execute format('alter table %s no force row level security', v_table.name);
    execute format('alter table %s owner to current_user', v_table.name);
    execute format('select exists (select from %s t where t.shop_id <> 1)', v_table.name) into v_found;
    if v_found then
      raise exception '% has rows of other shops', v_table.name using hint = 'Move those shops away first (docs/growing.md).';
    end if;
  end loop;

  -- What has to be made again once the column is gone, and with it everything that holds it.
  v_after := array(
    select format(
      'alter table %s add constraint %I %s%s', c.conrelid::regclass, c.conname,
      interlock.without_shop(pg_get_constraintdef(c.oid)),
      case when w.oid is not null then ' match full' else '' end
    )
    from pg_catalog.pg_constraint c
    left join pg_catalog.pg_constraint w on w.conrelid = c.conrelid and w.conname = c.conname || '_whole'
    where c.contype in ('p', 'u', 'f')
      and c.conparentid = 0
      and c.conrelid in (select t.name from interlock.keyed_tables() t where not t.is_part)
      and interlock.holds_shop(c.conrelid, c.conkey)
    order by c.contype = 'f', c.oid
  );
  v_after := v_after || array(
    select interlock.without_shop(pg_get_indexdef(i.indexrelid))
    from pg_catalog.pg_index i
    where i.indrelid in (select t.name from interlock.keyed_tables() t where not t.is_part)
      and not exists (select from pg_catalog.pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
      and interlock.holds_shop(i.indrelid, i.indkey::int2[])
  );
  v_after := v_after || array(
    select format('comment on index %s is %L', i.indexrelid::regclass, d.description)
    from pg_catalog.pg_index i
    join pg_catalog.pg_description d on d.objoid = i.indexrelid and d.classoid = 'pg_class'::regclass
    where i.indrelid in (select t.name from interlock.keyed_tables() t where not t.is_part)
      and interlock.holds_shop(i.indrelid, i.indkey::int2[])
  );
  for v_statement in
    select format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname)
    from pg_catalog.pg_constraint c
    where c.conname like '%\_whole'
      and exists (select from pg_catalog.pg_constraint f where f.conrelid = c.conrelid and f.contype = 'f' and c.conname = f.conname || '_whole')
      and c.conrelid in (select t.name from interlock.keyed_tables() t where not t.is_part)
  loop
    execute v_statement;
  end loop;

  for v_statement in
    select format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s', c.conrelid::regclass, c.conname, d.description)
    from pg_catalog.pg_constraint c
    join pg_catalog.pg_description d on d.objoid = c.oid and d.classoid = 'pg_constraint'::regclass
    where c.contype = 'f'
      and c.conrelid in (select t.name from interlock.keyed_tables() t where not t.is_part)
      and c.confrelid = 'auth.users'::regclass
  loop
    execute v_statement;
  end loop;

  for v_table in select t.* from interlock.keyed_tables() t loop
    execute format('drop policy if exists of_the_shop on %s', v_table.name);
    execute format('drop policy if exists of_the_owner on %s', v_table.name);
    execute format('alter table %s no force row level security', v_table.name);
    execute format('alter table %s owner to current_user', v_table.name);
    if not v_table.is_part then
      execute format('drop trigger if exists a_shop on %s', v_table.name);
    end if;
  end loop;
  perform interlock.make_exposed(e) from interlock.exposed() e;
  for v_table in select t.* from interlock.keyed_tables() t where not t.is_part loop
    execute format('alter table %s drop column shop_id cascade', v_table.name);
  end loop;
  foreach v_statement in array v_after loop
    execute v_statement;
  end loop;

  for v_statement in
    select format('alter function %s owner to current_user', p.oid::regprocedure)
    from pg_catalog.pg_proc p
    where p.pronamespace = 'interlock'::regnamespace
      and pg_get_userbyid(p.proowner) = 'interlock_owner'
    union all
    select format('alter table %s owner to current_user', c.oid::regclass)
    from pg_catalog.pg_class c
    where c.relnamespace = 'interlock'::regnamespace
      and c.relkind in ('S', 'v')
      and pg_get_userbyid(c.relowner) = 'interlock_owner'
  loop
    execute v_statement;
  end loop;
  -- Whatever else there is of it, what was archived above all, is kept; its rights go.
  reassign owned by interlock_owner to current_user;
  drop owned by interlock_owner;
end
$$;
