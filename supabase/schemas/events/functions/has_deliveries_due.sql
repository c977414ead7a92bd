-- Whether there is anything to deliver at this moment.
--
-- Callers: interlock.call_deliver.
-- Locks: none.
-- New events are looked for as interlock.make_deliveries does; by index, whatever Postgres expects: of a table that was always
-- empty it expects rows, and so to find the first one at once. Not compiled (jit), which what is forbidden costs enough for.
create function interlock.has_deliveries_due()
returns boolean
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
  select pg_snapshot_xmax(c.seen), array(select pg_snapshot_xip(c.seen)) into v_next, v_open
  from interlock.delivery_cursor c;
  return exists (
    select
    from interlock.webhook_endpoints w
    join interlock.deliveries d on d.endpoint_id = w.id
    where w.active
      and d.state = 'pending'
      and d.next_attempt_at <= interlock.clock()
  )
  or (
    exists (select from interlock.webhook_endpoints w where w.active)
    and (
      exists (select from interlock.events e where e.transaction >= v_next)
      or exists (select from interlock.events e where e.transaction = any (v_open))
    )
  );
end
$$;
