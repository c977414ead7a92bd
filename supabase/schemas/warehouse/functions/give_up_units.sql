-- Say of units of a line that there will be none: what is neither packed nor given up has to be packed before the order is complete.
-- One that is packed after all is short no more (interlock.pack_units).
--
-- Callers: interlock.pack_item.
-- Locks: the line.
-- Errors: as interlock.find_session; PACKING_LINE_NOT_FOUND, SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED; 55P03 after lock_timeout.
create function interlock.give_up_units(p_session_id uuid, p_order_id uuid, p_product_id uuid, p_change int)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_line interlock.packing_progress;
  v_fits boolean;
begin
  if (interlock.find_session(p_session_id)).status <> 'packing' then
    perform interlock.refuse_session(p_session_id, p_order_id);
  end if;
  loop
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.packing_progress p
    set quantity_short = p.quantity_short + p_change,
        version = p.version + 1,
        updated_at = now()
    where p.picking_session_id = p_session_id
      and p.order_id = p_order_id
      and p.product_id = p_product_id
      and p.box_open
      and p.quantity_packed + p.quantity_short + p_change <= p.quantity_needed
    returning p.* into v_line;
    exit when found;
    -- What is said of the line is what it has, and it is not refused if somebody has made room for it meanwhile. Its basket, which comes before it, is
    -- not locked then.
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    v_fits := (
      select p.box_open and p.quantity_packed + p.quantity_short + p_change <= p.quantity_needed
      from interlock.packing_progress p
      where p.picking_session_id = p_session_id
        and p.order_id = p_order_id
        and p.product_id = p_product_id
      for no key update
    );
    if v_fits is not true then
      perform interlock.refuse_pack(p_session_id, p_order_id, p_product_id, interlock.most_units(), p_taken => null);
    end if;
  end loop;

  insert into interlock.packing_scans (
    picking_session_id, order_id, product_id, action, quantity, actor, quantity_packed, quantity_needed, quantity_short, version
  )
  values (
    p_session_id, p_order_id, p_product_id, 'short', p_change, auth.uid(),
    v_line.quantity_packed, v_line.quantity_needed, v_line.quantity_short, v_line.version
  );
  if interlock.has_realtime() then
    perform interlock.broadcast_line(p_session_id, p_order_id, p_product_id, 0);
  end if;
end
$$;
