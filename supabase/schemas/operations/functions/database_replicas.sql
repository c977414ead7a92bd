-- The physical replicas of this database by name: how many there are of it, and how far they are behind. Others are connected to a database. Who may not
-- see more than that they are there gets no numbers, and a replica knows of none but those that follow it.
--
-- Callers: interlock.metrics.
-- Locks: none.
-- Security definer: as interlock.database_sessions.
create function interlock.database_replicas()
returns table (name text, replicas bigint, lag interval, bytes numeric)
language sql
stable
security definer
rows 3
set search_path = ''
as $$
  select
    regexp_replace(r.application_name, '[^A-Za-z0-9_.-]', '_', 'g'),
    count(*),
    max(r.replay_lag),
    max(pg_wal_lsn_diff(
      case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, r.replay_lsn
    ))
  from pg_stat_replication r
  join pg_stat_activity a on a.pid = r.pid
  where a.datid is null
    and r.state is distinct from 'backup'
  group by 1
$$;
