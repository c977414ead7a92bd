-- The snapshot of the statement that asks, without the transaction that it belongs to: that one may have yet to write, and
-- whatever it has written is nothing before it commits.
--
-- Callers: interlock.make_deliveries, interlock.watch_events.
-- Locks: none.
create function interlock.committed_snapshot()
returns pg_snapshot
language plpgsql
stable
set search_path = ''
as $$
declare
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_own constant xid8 := pg_current_xact_id();
begin
  if v_own >= pg_snapshot_xmax(v_snapshot) then
    return v_snapshot;
  end if;
  return format(
    '%s:%s:%s', least(pg_snapshot_xmin(v_snapshot), v_own), pg_snapshot_xmax(v_snapshot),
    (
      select string_agg(x.id::text, ',' order by x.id)
      from (select v_own as id union select pg_snapshot_xip(v_snapshot)) x
    )
  )::pg_snapshot;
end
$$;
