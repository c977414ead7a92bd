-- Make deliveries of events that are new, at most p_limit events of them; answers how many were looked at. The events of
-- several transactions come in the order in which they were written, which for one subject is the order in which they
-- happened: of two transactions of which the second saw what the first had done, none sees the second alone.
--
-- New is what this statement sees and the cursor's snapshot did not, so it does not matter who committed when: transactions that
-- began after it, and those that were open in it. Named so, and planned for these very ones, they are found by index; all since the
-- oldest that was open may be a day's, if somebody left one open. A cursor of another database, whose transactions were counted further (a copy that was restored), begins again from now on.
--
-- Callers: interlock.claim_deliveries.
-- Locks: the cursor; if somebody else has it they make them, and there is nothing to do.
create function interlock.make_deliveries(p_limit int)
returns int
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_cursor interlock.delivery_cursor;
  v_next xid8;
  v_open xid8[];
  v_events int;
begin
  if not exists (select from interlock.webhook_endpoints w where w.active) then
    return 0;
  end if;
  select c.* into v_cursor from interlock.delivery_cursor c for update skip locked;
  if not found then
    return 0;
  end if;
  if pg_snapshot_xmin(v_cursor.seen) > pg_snapshot_xmax(pg_current_snapshot()) then
    update interlock.delivery_cursor set seen = interlock.committed_snapshot(), target = null, position = 0;
    return 0;
  end if;

  v_next := pg_snapshot_xmax(v_cursor.seen);
  v_open := array(select pg_snapshot_xip(v_cursor.seen));
  with target as materialized (
    select coalesce(v_cursor.target, interlock.committed_snapshot()) as snapshot
  ), fresh as materialized (
    select e.type, e.subject, e.created_at, e.position, e.transaction
    from interlock.events e
    cross join target t
    where (e.transaction >= v_next or e.transaction = any (v_open))
      and pg_visible_in_snapshot(e.transaction, t.snapshot)
      and e.position > v_cursor.position
    order by e.position
    limit p_limit
  ), made as (
    insert into interlock.deliveries (position, transaction, endpoint_id, subject)
    select f.position, f.transaction, w.id, f.subject
    from fresh f
    join interlock.webhook_endpoints w
      on w.active
      and f.created_at >= w.active_since
      and (w.event_types is null or f.type = any (w.event_types))
    where f.type <> 'webhook.test'
    order by f.position
    on conflict do nothing
  ), counted as (
    select count(*) as events, max(f.position) as position from fresh f
  ), moved as (
    update interlock.delivery_cursor c
    set seen = case when n.events < p_limit then t.snapshot else c.seen end,
        target = case when n.events < p_limit then null else t.snapshot end,
        position = case when n.events < p_limit then 0 else n.position end
    from counted n
    cross join target t
    where n.events > 0 or v_cursor.target is not null
  )
  select n.events into v_events from counted n;
  return v_events;
end
$$;
