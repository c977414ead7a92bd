-- Let the role that functions have, where there are many shops, read and write a linked table of the shop's own. What the table's own
-- triggers reach beyond it has to be granted to interlock_owner by whoever made them.
--
-- Callers: interlock.make_link_triggers, interlock.link_orders, interlock.serve_shops, as whoever owns the table.
-- Locks: none.
create function interlock.let_shops_reach(p_table regclass)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_statement text;
begin
  if not interlock.serves_shops() then
    return;
  end if;
  for v_statement in
    select format('grant usage on schema %s to interlock_owner', c.relnamespace::regnamespace)
    from pg_catalog.pg_class c
    where c.oid = p_table
    union all
    select format('grant select, insert, update, delete on table %s to interlock_owner', p_table)
    union all
    select format('grant usage on sequence %s to interlock_owner', d.objid::regclass)
    from pg_catalog.pg_depend d
    join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
    where d.refobjid = p_table
      and d.deptype in ('a', 'i')
    union all
    select format('create policy interlock_reaches on %s to interlock_owner using (true)', p_table)
    from pg_catalog.pg_class c
    where c.oid = p_table
      and c.relrowsecurity
      and not exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid and p.polname = 'interlock_reaches')
  loop
    execute v_statement;
  end loop;
end
$$;
