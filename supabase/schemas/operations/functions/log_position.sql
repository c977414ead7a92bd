-- What public.log_position does, with its owner's rights: how far the log of this database is, at the primary what was written, at a
-- replica what was replayed. Who asks the primary after an answer of theirs, and then finds a replica on the same timeline at that
-- position or later, reads there what they have written (docs/growing.md). Positions of two timelines cannot be compared: after a
-- replica has taken over, the old server's log may go on where nobody follows it.
--
-- At the primary it is the end of what was inserted, and not of what was flushed: with synchronous_commit off an answer comes before
-- its commit is on the disk. A replica gets there once that is flushed, which is by the next commit, whoever's.
--
-- Callers: authenticated and service_role, through public.log_position. It tells how much the database has written, and nothing of
-- what; anon writes nothing, and therefore has nothing to find again.
-- Locks: none.
-- Errors: none.
-- Security definer: which timeline a replica receives is told to nobody else.
create function interlock.log_position()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- Once: it may be promoted in between.
  v_is_replica boolean := pg_is_in_recovery();
  v_lsn pg_lsn := case when v_is_replica then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end;
  v_timeline int;
begin
  if v_is_replica then
    -- Where nothing is received it is the latest restart point's, which may be one of before.
    v_timeline := coalesce(
      (select w.received_tli from pg_stat_wal_receiver w),
      (select c.timeline_id from pg_control_checkpoint() c)
    );
  else
    -- The first part of the name of a file of the log.
    v_timeline := ('x' || left(pg_walfile_name(v_lsn), 8))::bit(32)::int;
  end if;

  return jsonb_build_object(
    'success', true,
    'timeline', v_timeline,
    -- Bytes since the log began: exact in JSON, too, up to nine million gigabytes.
    'position', pg_wal_lsn_diff(v_lsn, '0/0')::bigint,
    'lsn', v_lsn::text,
    'is_replica', v_is_replica
  );
end
$$;
