-- The functions that reach what is the platform's, and no table of a shop.
--
-- Callers: interlock.serve_shops.
create function interlock.functions_of_the_platform()
returns setof text
language sql
immutable
rows 14
set search_path = ''
as $$
  select unnest(array[
    'add_shop', 'archive_history', 'broadcast', 'database_replicas', 'database_sessions', 'find_shop', 'is_linked', 'list_shops', 'make_history_parts', 'post_deliver',
    'purge_run_log', 'set_shop', 'shops_of_user', 'stored_proofs'
  ])
$$;
