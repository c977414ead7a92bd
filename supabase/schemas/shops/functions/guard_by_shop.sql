-- Let a table, or a part of one, show and take rows of the present shop only, and belong to the role that this binds.
--
-- Callers: interlock.serve_shops, interlock.add_history_part.
-- Locks: the table, exclusively, until the transaction ends.
create function interlock.guard_by_shop(p_table regclass)
returns void
language plpgsql
set search_path = ''
as $$
begin
  execute format('alter table %s owner to interlock_owner', p_table);
  execute format('alter table %s alter shop_id set default interlock.shop_id()', p_table);
  if not exists (select from pg_catalog.pg_policy p where p.polrelid = p_table and p.polname = 'of_the_shop') then
    execute format(
      'create policy of_the_shop on %s as restrictive using (shop_id = (select interlock.shop_id()))', p_table
    );
  end if;
  if not exists (select from pg_catalog.pg_policy p where p.polrelid = p_table and p.polname = 'of_the_owner') then
    execute format('create policy of_the_owner on %s to interlock_owner using (true)', p_table);
  end if;
  -- A row that a function has made of all its columns has none yet. A part has the triggers of what it is a part of.
  if not (select c.relispartition from pg_catalog.pg_class c where c.oid = p_table) then
    execute format(
      'create or replace trigger a_shop before insert on %s for each row when (new.shop_id is null) execute function interlock.fill_shop()',
      p_table
    );
  end if;
  execute format('alter table %s force row level security', p_table);
end
$$;
