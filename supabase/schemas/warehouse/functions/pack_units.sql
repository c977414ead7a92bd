-- Put so many units out of the basket into the box of an order, or back. Two conditional updates decide, neither of which reads first: the basket
-- never gives more than was picked, over all orders, and the line never takes more than it needs, and nothing once its box is closed.
-- A unit that was given up as short and is packed after all is short no more.
--
-- With p_expected the line must have so many: IL004 says that it has not.
--
-- Callers: interlock.pack_item, interlock.update_packing_progress_atomic, interlock.increment_packing_quantity,
--   interlock.set_packed_quantity.
-- Locks: the basket; the line.
-- Errors: as interlock.find_session; PACKING_LINE_NOT_FOUND, SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK, NOTHING_PACKED; IL004;
--   55P03 after lock_timeout.
create function interlock.pack_units(
  p_session_id uuid, p_order_id uuid, p_product_id uuid, p_change int, p_expected int default null
)
returns interlock.packing_progress
language plpgsql
set search_path = ''
as $$
declare
  v_status text;
  v_taken int := 0;
  v_line interlock.packing_progress;
begin
  select s.status
  into v_status
  from interlock.picking_sessions s
  where s.id = p_session_id
    and interlock.works_at(s.location_id);
  if v_status is distinct from 'packing' then
    perform interlock.find_session(p_session_id);
    perform interlock.refuse_session(p_session_id, p_order_id);
  end if;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.picking_session_items i
  set quantity_packed = i.quantity_packed + p_change,
      version = i.version + 1
  where i.picking_session_id = p_session_id
    and i.product_id = p_product_id
    and i.quantity_packed + p_change between 0 and i.quantity_picked;
  if found then
    v_taken := p_change;
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.packing_progress p
    set quantity_packed = p.quantity_packed + p_change,
        quantity_short = least(p.quantity_short, p.quantity_needed - p.quantity_packed - p_change),
        version = p.version + 1,
        updated_at = now()
    where p.picking_session_id = p_session_id
      and p.order_id = p_order_id
      and p.product_id = p_product_id
      and p.box_open
      and p.quantity_packed + p_change between 0 and p.quantity_needed
      and p.quantity_packed = coalesce(p_expected, p.quantity_packed)
    returning p.* into v_line;
  end if;
  if v_line.id is null then
    perform interlock.refuse_pack(p_session_id, p_order_id, p_product_id, p_change, p_expected, v_taken);
  end if;

  perform interlock.note_packing(v_line, case when p_change > 0 then 'pack' else 'unpack' end, p_change);
  return v_line;
end
$$;
