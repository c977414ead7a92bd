-- Say why a line cannot be changed by so much, as things are now: whoever was waited for has ended. p_taken units are out of the basket
-- already, and are in it again with the refusal. Where none are, the basket was only looked at: it is locked, so that what is said of it and of the
-- line is what they have, and not refused if somebody has made room for it meanwhile. With null the line
-- alone was looked at, which whoever calls has locked.
--
-- Callers: interlock.pack_units, interlock.give_up_units.
-- Locks: the basket, if nothing was taken out of it; whoever does not work there takes none.
-- Errors: as interlock.find_session, also for a session of another location than the one that was given; VALIDATION_FAILED for an id that is null;
--   PACKING_LINE_NOT_FOUND, SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK, NOTHING_PACKED; IL004 if the line has not the
--   number of units that was expected; 55P03 after lock_timeout.
create function interlock.refuse_pack(
  p_session_id uuid, p_order_id uuid, p_product_id uuid, p_change int, p_expected int default null, p_taken int default 0,
  p_location_id uuid default null
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_problems jsonb;
  v_session interlock.picking_sessions;
  v_line interlock.packing_progress;
  v_item interlock.picking_session_items;
begin
  select jsonb_agg(jsonb_build_object('pointer', '/' || u.name, 'message', 'is required') order by u.name)
  into v_problems
  from (values ('p_session_id', p_session_id), ('p_order_id', p_order_id), ('p_product_id', p_product_id)) as u (name, id)
  where u.id is null;
  if v_problems is not null then
    perform interlock.require_packer();
    perform interlock.refuse_problems(v_problems);
  end if;
  v_session := interlock.find_session(p_session_id);
  if v_session.location_id <> p_location_id then
    perform interlock.raise_error('SESSION_NOT_FOUND', jsonb_build_object('session_id', p_session_id));
  end if;
  if v_session.status <> 'packing' then
    perform interlock.refuse_session(p_session_id, p_order_id);
  end if;
  if p_taken = 0 then
    perform interlock.lock_baskets(p_session_id, array[p_product_id]);
  end if;
  select p.*
  into v_line
  from interlock.packing_progress p
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and p.product_id = p_product_id;
  if v_line.id is null then
    perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object(
      'session_id', p_session_id, 'order_id', p_order_id, 'product_id', p_product_id
    ));
  end if;
  if not v_line.box_open then
    perform interlock.refuse_session(p_session_id, p_order_id);
  end if;
  if v_line.quantity_packed <> p_expected then
    raise exception using errcode = 'IL004', message = 'the line has another number of units';
  end if;
  select i.*
  into v_item
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id
    and i.product_id = p_product_id;
  if p_taken = 0
    and v_line.quantity_packed + p_change between 0 and v_line.quantity_needed
    and v_item.quantity_packed + p_change between 0 and v_item.quantity_picked
  then
    return;
  end if;
  perform interlock.raise_error(
    case
      when p_change < 0 then 'NOTHING_PACKED'
      when v_line.quantity_packed + p_change > v_line.quantity_needed then 'ALREADY_FULLY_PACKED'
      else 'NO_UNITS_TO_PACK'
    end,
    jsonb_build_object(
      'session_id', p_session_id,
      'order_id', p_order_id,
      'product_id', p_product_id,
      'quantity_packed', v_line.quantity_packed,
      'quantity_needed', v_line.quantity_needed,
      'quantity_picked', v_item.quantity_picked,
      'available', v_item.quantity_picked - v_item.quantity_packed + coalesce(p_taken, 0)
    )
  );
end
$$;
