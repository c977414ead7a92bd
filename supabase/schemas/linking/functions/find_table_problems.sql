-- What keeps a table from being linked at all, whatever comes from it or goes to it.
--
-- Callers: interlock.find_link_problems, interlock.find_customer_link_problems, interlock.find_order_link_problems.
-- Locks: none.
create function interlock.find_table_problems(p_table regclass, p_pointer text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_class pg_catalog.pg_class;
  v_schema name;
begin
  select c.* into v_class from pg_catalog.pg_class c where c.oid = p_table;
  if not found then
    return interlock.problem(p_pointer, 'is no table: name it with its schema, such as public.products');
  end if;
  select n.nspname into v_schema from pg_catalog.pg_namespace n where n.oid = v_class.relnamespace;
  if v_schema ~ '^pg_' or v_schema in (
    'information_schema', 'interlock', 'auth', 'storage', 'vault', 'realtime', 'cron', 'net', 'extensions', 'graphql',
    'supabase_functions', 'supabase_migrations'
  ) or v_class.relkind <> 'r' or v_class.relispartition or v_class.relhassubclass or v_class.relpersistence = 't' then
    v_problems := v_problems || interlock.problem(
      p_pointer, 'must be an ordinary table of yours: no view, no partition or parent, and none of the platform or of Interlock'
    );
  end if;
  if not pg_catalog.pg_has_role(
    (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'interlock'), v_class.relowner, 'usage'
  ) then
    v_problems := v_problems || interlock.problem(
      p_pointer, format('belongs to %I: alter table %s owner to postgres', v_class.relowner::regrole, interlock.source_name(p_table))
    );
  elsif v_class.relforcerowsecurity then
    v_problems := v_problems || interlock.problem(p_pointer, format(
      'its row security holds its owner, too: alter table %s no force row level security', interlock.source_name(p_table)
    ));
  end if;
  return v_problems;
end
$$;
