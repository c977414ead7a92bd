-- Write the history of an order.
--
-- Callers: trigger orders_record_event.
-- Locks: none beyond the rows it inserts.
-- Security definer: nobody has insert on order_events.
create function interlock.record_order_event()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' or new.status <> old.status then
    insert into interlock.order_events (order_id, event, actor)
    values (new.id, new.status, auth.uid());
  elsif new.fulfillment <> old.fulfillment then
    insert into interlock.order_events (order_id, event, actor, tracking)
    values (new.id, new.fulfillment, auth.uid(), new.tracking);
  -- A further part writes its own: interlock.ship_order_lines.
  elsif new.tracking is distinct from old.tracking and new.fulfillment <> 'partly_shipped' then
    insert into interlock.order_events (order_id, event, actor, tracking)
    values (new.id, 'tracking_changed', auth.uid(), new.tracking);
  elsif new.user_id <> old.user_id then
    insert into interlock.order_events (order_id, event, actor)
    values (new.id, 'moved', auth.uid());
  elsif new.proof_submitted_at is distinct from old.proof_submitted_at then
    insert into interlock.order_events (order_id, event, actor)
    values (
      new.id,
      case when new.proof_submitted_at is null then 'proof_rejected' else 'proof_submitted' end,
      auth.uid()
    );
  end if;
  return null;
end
$$;
