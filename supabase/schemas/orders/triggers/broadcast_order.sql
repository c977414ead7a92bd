-- Broadcast to its buyer that an order has changed. What is new of it is read: it has no version by which a message could be told from an
-- older one.
--
-- Callers: trigger orders_broadcast; not for an order that is made, of which nobody can have heard.
-- Locks: none.
-- Security definer: whoever changes an order has no right to broadcast.
create function interlock.broadcast_order()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform interlock.broadcast('order:' || new.id, 'order.changed', jsonb_build_object(
    'order_id', new.id, 'status', new.status, 'fulfillment', new.fulfillment
  ));
  return null;
end
$$;
