-- Add a part to a history, empty, with the bounds that are given as Postgres writes them. Keys, indexes and triggers of rows come from
-- the table; what does not is made here.
--
-- Callers: interlock.make_history_part.
-- Locks: the new part; of the history what the caller holds; its rest, and the tables that its foreign keys name, for as long as
--   it takes to add it.
create function interlock.add_history_part(p_history text, p_name text, p_bounds text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_statement text;
begin
  execute format('create table interlock_parts.%I (like interlock.%I including storage including compression)', p_name, p_history);
  execute format('alter table interlock_parts.%I enable row level security', p_name);
  execute format('revoke all on table interlock_parts.%I from public, anon, authenticated, service_role', p_name);
  -- Triggers of statements belong to the table that a statement names.
  for v_statement in
    select replace(pg_get_triggerdef(t.oid), format(' ON interlock.%I ', p_history), format(' ON interlock_parts.%I ', p_name))
    from pg_catalog.pg_trigger t
    where t.tgrelid = format('interlock.%I', p_history)::regclass
      and not t.tgisinternal
      and t.tgtype & 1 = 0
  loop
    execute v_statement;
  end loop;
  execute format('alter table interlock.%I attach partition interlock_parts.%I %s', p_history, p_name, p_bounds);
  if interlock.serves_shops() then
    perform interlock.guard_by_shop(format('interlock_parts.%I', p_name)::regclass);
  end if;
end
$$;
