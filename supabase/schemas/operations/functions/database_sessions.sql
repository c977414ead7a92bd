-- How many sessions of this database wait for a lock, and for how many seconds its oldest transaction has been under way.
--
-- Callers: interlock.metrics.
-- Locks: none.
-- Security definer: what sessions do is shown to whoever may see it all, and belongs to no shop (interlock.serve_shops).
create function interlock.database_sessions(out waiting bigint, out oldest numeric)
language sql
stable
security definer
set search_path = ''
as $$
  select
    count(*) filter (where a.wait_event_type = 'Lock'),
    coalesce(extract(epoch from max(clock_timestamp() - a.xact_start)), 0)
  from pg_stat_activity a
  where a.datname = current_database()
    and a.backend_type = 'client backend'
$$;
