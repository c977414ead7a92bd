-- What of an order is refunded before it was sent is needed no more in the session in which it is picked and packed: what of it is
-- in the box already is in the basket again. An order that needs nothing any more leaves the session.
--
-- Callers: interlock.take_off_order, before it locks anything else; with the order locked.
-- Locks: the box; then as interlock.take_off_lines or interlock.take_out_order.
-- Errors: 55P03 after lock_timeout.
create function interlock.need_less(p_order_id uuid, p_product_ids uuid[], p_quantities int[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_session_id uuid;
begin
  select b.picking_session_id
  into v_session_id
  from interlock.picking_session_orders b
  where b.order_id = p_order_id
    and b.status = 'open';
  if not found or (interlock.lock_box(v_session_id, p_order_id)).status <> 'open' then
    return;
  end if;
  if not exists (
    select
    from interlock.packing_progress p
    left join unnest(p_product_ids, p_quantities) as u (product_id, quantity) on u.product_id = p.product_id
    where p.picking_session_id = v_session_id
      and p.order_id = p_order_id
      and p.quantity_needed > coalesce(u.quantity, 0)
  ) then
    perform interlock.take_out_order(v_session_id, p_order_id, 'cancelled');
    return;
  end if;

  perform interlock.take_off_lines(v_session_id, p_order_id, p_product_ids, p_quantities);
end
$$;
