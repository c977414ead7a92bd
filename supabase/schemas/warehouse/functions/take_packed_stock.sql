-- Take what is packed of an order out of the stock of its session's location. The goods of the web shop have left its stock with the order;
-- of a session at another location they come from there, so they are moved from that stock to the web shop's, which has sold them.
--
-- Callers: interlock.complete_box, interlock.close_sent_box; with the box closed.
-- Locks: stock as interlock.lock_inventory.
-- Errors: INSUFFICIENT_INVENTORY; 55P03 after lock_timeout.
create function interlock.take_packed_stock(p_session interlock.picking_sessions, p_order_id uuid)
returns void
language plpgsql
set search_path = ''
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_moves jsonb;
begin
  if (p_session).location_id = interlock.online_location() then
    return;
  end if;
  select
    interlock.transfer_ends(
      jsonb_agg(jsonb_build_object('product_id', p.product_id, 'quantity', -p.quantity_packed)), (p_session).location_id
    ) || interlock.transfer_ends(
      jsonb_agg(jsonb_build_object('product_id', p.product_id, 'quantity', p.quantity_packed)), interlock.online_location()
    )
  into v_moves
  from interlock.packing_progress p
  join interlock.order_items i on i.order_id = p.order_id and i.product_id = p.product_id and not i.untracked
  where p.picking_session_id = (p_session).id
    and p.order_id = p_order_id
    and p.quantity_packed > 0;
  if v_moves is not null then
    perform interlock.refuse_shortages(v_moves, interlock.lock_inventory(v_moves));
    perform interlock.move_quantities(v_moves, 'order_packed', p_order_id);
  end if;
end
$$;
