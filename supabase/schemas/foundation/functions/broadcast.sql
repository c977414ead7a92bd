-- Broadcast a message on a private topic, where the platform's realtime is there; else nothing is done. It goes out when the
-- transaction commits, and never fails what it tells of: the platform makes a warning of every error. So what it has to say can be read,
-- too, and a client that was away reads it.
--
-- The topic is the present shop's (interlock.topic_of_shop).
--
-- Callers: triggers, which are their owner's: interlock.broadcast_batch, broadcast_order, broadcast_packing; interlock.broadcast_line,
--   interlock.tell_stock.
-- Locks: none.
-- Security definer: what is the platform's belongs to no shop (interlock.serve_shops).
create function interlock.broadcast(p_topic text, p_event text, p_payload jsonb)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  if interlock.has_realtime() then
    perform realtime.send(p_payload, p_event, interlock.topic_of_shop(p_topic), true);
  end if;
end
$$;
