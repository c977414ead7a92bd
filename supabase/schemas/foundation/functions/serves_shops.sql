-- Whether this installation serves many shops (interlock.serve_shops).
--
-- Callers: interlock.add_history_part, interlock.jobs, the functions of shops.
create function interlock.serves_shops()
returns boolean
language sql
stable
set search_path = ''
as $$
  select c.relforcerowsecurity from pg_catalog.pg_class c where c.oid = 'interlock.settings'::regclass
$$;
