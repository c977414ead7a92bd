-- Undo interlock.let_shops_reach, but for the schema, where other tables may be linked.
--
-- Callers: interlock.drop_link_triggers, interlock.unlink_orders, as whoever owns the table.
-- Locks: the table against everybody, where it has row security.
create function interlock.let_shops_go(p_table regclass)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if interlock.serves_shops() then
    execute format('revoke all on table %s from interlock_owner', p_table);
    if exists (select from pg_catalog.pg_policy p where p.polrelid = p_table and p.polname = 'interlock_reaches') then
      execute format('drop policy interlock_reaches on %s', p_table);
    end if;
  end if;
end
$$;
