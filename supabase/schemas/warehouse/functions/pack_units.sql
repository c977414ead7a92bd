-- Put so many units out of the basket into the box of an order, or back. Two conditional updates decide, neither of which reads first: the basket
-- never gives more than was picked, over all orders, and the line never takes more than it needs. A unit that was given
-- up as short and is packed after all is short no more.
--
-- With p_expected the line must have so many: IL004 says that it has not.
--
-- Callers: interlock.pack_item, interlock.update_packing_progress_atomic, interlock.increment_packing_quantity,
--   interlock.set_packed_quantity; with the session looked at.
-- Locks: the box, shared; the basket; the line.
-- Errors: PACKING_LINE_NOT_FOUND, SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK, NOTHING_PACKED; IL004, with the line
--   as its detail; 55P03 after lock_timeout.
create function interlock.pack_units(
  p_session interlock.picking_sessions, p_order_id uuid, p_product_id uuid, p_change int, p_expected int default null
)
returns interlock.packing_progress
language plpgsql
set search_path = ''
as $$
declare
  v_status text;
  v_line interlock.packing_progress;
begin
  select b.status
  into v_status
  from interlock.picking_session_orders b
  where b.picking_session_id = (p_session).id
    and b.order_id = p_order_id
  for share;
  if (p_session).status <> 'packing' or v_status <> 'open' then
    perform interlock.refuse_session((p_session).id, p_order_id);
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.picking_session_items i
  set quantity_packed = i.quantity_packed + p_change,
      version = i.version + 1
  where i.picking_session_id = (p_session).id
    and i.product_id = p_product_id
    and i.quantity_packed + p_change between 0 and i.quantity_picked;
  if found then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.packing_progress p
    set quantity_packed = p.quantity_packed + p_change,
        quantity_short = least(p.quantity_short, p.quantity_needed - p.quantity_packed - p_change),
        version = p.version + 1,
        updated_at = now()
    where p.picking_session_id = (p_session).id
      and p.order_id = p_order_id
      and p.product_id = p_product_id
      and p.quantity_packed + p_change between 0 and p.quantity_needed
      and p.quantity_packed = coalesce(p_expected, p.quantity_packed)
    returning p.* into v_line;
  end if;

  if v_line.id is null then
    select p.*
    into v_line
    from interlock.packing_progress p
    where p.picking_session_id = (p_session).id
      and p.order_id = p_order_id
      and p.product_id = p_product_id;
    if v_line.id is null then
      perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object(
        'session_id', (p_session).id, 'order_id', p_order_id, 'product_id', p_product_id
      ));
    end if;
    if v_line.quantity_packed <> p_expected then
      raise exception using
        errcode = 'IL004',
        message = 'the line has another number of units',
        detail = interlock.packing_answer(v_line)::text;
    end if;
    perform interlock.refuse_pack((p_session).id, p_order_id, p_product_id, p_change);
  end if;

  insert into interlock.packing_scans (picking_session_id, order_id, product_id, action, quantity, actor)
  values (
    (p_session).id, p_order_id, p_product_id, case when p_change > 0 then 'pack' else 'unpack' end, p_change, auth.uid()
  );
  perform interlock.note_packing(v_line, p_change);
  return v_line;
end
$$;
