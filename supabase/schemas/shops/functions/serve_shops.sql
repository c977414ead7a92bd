-- From now on this installation serves many shops. Every table gets the shop key (what is there belongs to shop 1), and every
-- unique key, foreign key and index holds it; rows, and definer functions with them, belong to the role interlock_owner, which sees
-- one shop at a time: the one of interlock.shop_id. Functions stay as they are.
--
-- Called again it does the same for what has come since, which is what has to be done after each `supabase db push`. It makes
-- indexes anew: begin with it while there is little, or when it is quiet. interlock.serve_one_shop undoes it.
--
-- Callers: postgres.
-- Locks: every table of interlock, exclusively, until it is done.
create function interlock.serve_shops()
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_table record;
  v_object record;
  v_statement text;
  v_references text[] := array[]::text[];
begin
  if not exists (select from pg_catalog.pg_roles r where r.rolname = 'interlock_owner') then
    begin
      create role interlock_owner nologin nobypassrls;
    exception
      when duplicate_object or unique_violation then
        -- Made just now for another database of this server.
        null;
    end;
  end if;
  if not pg_has_role(current_user, 'interlock_owner', 'usage') then
    grant interlock_owner to current_user;
  end if;
  grant authenticated to interlock_owner;
  grant usage, create on schema interlock, interlock_parts to interlock_owner;
  grant select, update, delete on interlock.accounts to interlock_owner;
  grant select on interlock.shops to interlock_owner;

  for v_table in select t.* from interlock.keyed_tables() t loop
    if not v_table.keyed and not v_table.is_part then
      execute format('alter table %s add column shop_id int not null default 1', v_table.name);
    end if;
  end loop;

  -- Keys that hold it, and what refers to them. First what refers goes; it comes again once they are there.
  for v_object in
    select c.conrelid::regclass as name, c.conname, interlock.with_shop(pg_get_constraintdef(c.oid)) as definition,
      case when c.confmatchtype = 'f' then (
        select format('num_nulls(%s) in (0, %s)', string_agg(quote_ident(a.attname), ', '), count(*))
        from unnest(c.conkey) k
        join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k
      ) end as whole
    from pg_catalog.pg_constraint c
    where c.contype = 'f'
      and c.conparentid = 0
      and c.conrelid in (select t.name from interlock.keyed_tables() t where not t.is_part)
      and c.confrelid in (select t.name from interlock.keyed_tables() t)
      and not interlock.holds_shop(c.conrelid, c.conkey)
  loop
    execute format('alter table %s drop constraint %I', v_object.name, v_object.conname);
    v_references := v_references || format('alter table %s add constraint %I %s', v_object.name, v_object.conname, v_object.definition);
    if v_object.whole is not null then
      v_references := v_references || format(
        'alter table %s add constraint %I check (%s)', v_object.name, v_object.conname || '_whole', v_object.whole
      );
    end if;
  end loop;

  for v_object in
    select c.conrelid::regclass as name, c.conname, interlock.with_shop(pg_get_constraintdef(c.oid)) as definition
    from pg_catalog.pg_constraint c
    where c.contype in ('p', 'u')
      and c.conparentid = 0
      and c.conrelid in (select t.name from interlock.keyed_tables() t where not t.is_part)
      and not interlock.holds_shop(c.conrelid, c.conkey)
  loop
    execute format(
      'alter table %1$s drop constraint %2$I, add constraint %2$I %3$s', v_object.name, v_object.conname, v_object.definition
    );
  end loop;

  for v_object in
    select i.indexrelid::regclass as name, interlock.with_shop(pg_get_indexdef(i.indexrelid)) as definition,
      obj_description(i.indexrelid, 'pg_class') as comment
    from pg_catalog.pg_index i
    join pg_catalog.pg_class x on x.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = x.relam
    where i.indrelid in (select t.name from interlock.keyed_tables() t where not t.is_part)
      and m.amname = 'btree'
      and not exists (select from pg_catalog.pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
      and not interlock.holds_shop(i.indrelid, i.indkey::int2[])
  loop
    execute format('drop index %s', v_object.name);
    execute v_object.definition;
    if v_object.comment is not null then
      execute format('comment on index %s is %L', v_object.name, v_object.comment);
    end if;
  end loop;

  foreach v_statement in array v_references loop
    execute v_statement;
  end loop;

  -- An account that goes takes nothing along in a shop that is not looked at: interlock.erase_user does, shop by shop. The comment keeps what it was.
  for v_object in
    select c.conrelid::regclass as name, c.conname, pg_get_constraintdef(c.oid) as definition
    from pg_catalog.pg_constraint c
    where c.contype = 'f'
      and c.conrelid in (select t.name from interlock.keyed_tables() t where not t.is_part)
      and c.confrelid = 'auth.users'::regclass
      and c.confdeltype <> 'a'
  loop
    execute format(
      'alter table %1$s drop constraint %2$I, add constraint %2$I %3$s deferrable initially deferred', v_object.name, v_object.conname,
      regexp_replace(v_object.definition, ' ON DELETE .*$', '')
    );
    execute format('comment on constraint %I on %s is %L', v_object.conname, v_object.name, v_object.definition);
  end loop;

  for v_table in select t.* from interlock.keyed_tables() t loop
    perform interlock.guard_by_shop(v_table.name);
  end loop;

  perform interlock.make_exposed(e) from interlock.exposed() e;
  perform interlock.let_shops_reach(l.source) from interlock.product_links l;
  perform interlock.let_shops_reach(l.source) from interlock.customer_links l;
  perform interlock.let_shops_reach(l.target) from interlock.order_links l;

  -- What reaches the platform stays with whoever has installed this, and is of no shop.
  for v_object in
    select p.oid::regprocedure as name, p.proname in (select r.* from interlock.functions_of_the_platform() r) as of_the_platform
    from pg_catalog.pg_proc p
    where p.pronamespace = 'interlock'::regnamespace
  loop
    if v_object.of_the_platform then
      execute format('grant execute on function %s to interlock_owner', v_object.name);
    else
      execute format('alter function %s owner to interlock_owner', v_object.name);
    end if;
  end loop;
  for v_object in
    select c.oid::regclass as name
    from pg_catalog.pg_class c
    where c.relnamespace = 'interlock'::regnamespace
      and c.relkind in ('S', 'v')
      and c.oid not in (pg_get_serial_sequence('interlock.shops', 'id')::regclass, 'interlock.accounts'::regclass)
      and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0)
  loop
    execute format('alter table %s owner to interlock_owner', v_object.name);
  end loop;
end
$$;
