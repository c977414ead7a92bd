-- Whether this installation serves many shops (interlock.serve_shops).
--
-- Callers: the functions of shops, and what differs where there are many: parts of histories, topics, calls of deliver, linked tables, erase_user.
create function interlock.serves_shops()
returns boolean
language sql
stable
set search_path = ''
as $$
  select c.relforcerowsecurity from pg_catalog.pg_class c where c.oid = 'interlock.settings'::regclass
$$;
