-- Events of which no deliveries were made yet, p_limit of them at most, in no order; none where nobody listens. What is new, and why it is named
-- so, interlock.make_deliveries says, which takes them in their order.
--
-- Callers: interlock.deliveries_due, the view interlock.queues.
-- Locks: none.
-- They are found by index, whatever Postgres expects: of a table that was always empty it expects rows, and so to find the first one at once.
-- Not compiled (jit), which what is forbidden costs enough for.
create function interlock.new_events(p_limit int)
returns table (event_position bigint, created_at timestamptz)
language plpgsql
stable
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  v_next xid8;
  v_open xid8[];
begin
  if not exists (select from interlock.webhook_endpoints w where w.active) then
    return;
  end if;
  select pg_snapshot_xmax(c.seen), array(select pg_snapshot_xip(c.seen)) into v_next, v_open
  from interlock.delivery_cursor c;
  return query
    select n.position, n.created_at
    from (
      select e.position, e.created_at from interlock.events e where e.transaction >= v_next
      union all
      select e.position, e.created_at from interlock.events e where e.transaction = any (v_open)
    ) n
    limit p_limit;
end
$$;
