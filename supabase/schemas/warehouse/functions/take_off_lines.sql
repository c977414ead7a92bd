-- Let the lines of an order need so many units less, in the session in which it is picked and packed: what of them is in the box
-- already is in the basket again.
--
-- Callers: interlock.need_less, interlock.close_sent_box; with the box locked.
-- Locks: the baskets by product; the lines.
-- Errors: 55P03 after lock_timeout.
create function interlock.take_off_lines(p_session_id uuid, p_order_id uuid, p_product_ids uuid[], p_quantities int[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.lock_baskets(p_session_id, p_product_ids);
  with less as (
    select
      p.id, p.product_id, u.quantity,
      greatest(p.quantity_packed - (p.quantity_needed - u.quantity), 0) as excess
    from unnest(p_product_ids, p_quantities) as u (product_id, quantity)
    join interlock.packing_progress p
      on p.picking_session_id = p_session_id and p.order_id = p_order_id and p.product_id = u.product_id
    where u.quantity > 0
  ),
  baskets as (
    update interlock.picking_session_items i
    set quantity_needed = i.quantity_needed - l.quantity,
        quantity_packed = i.quantity_packed - l.excess,
        version = i.version + 1
    from less l
    where i.picking_session_id = p_session_id
      and i.product_id = l.product_id
  ),
  scans as (
    insert into interlock.packing_scans (picking_session_id, order_id, product_id, action, quantity, actor)
    select p_session_id, p_order_id, l.product_id, 'take_out', -l.excess, auth.uid()
    from less l
    where l.excess > 0
  )
  update interlock.packing_progress p
  set quantity_needed = p.quantity_needed - l.quantity,
      quantity_packed = p.quantity_packed - l.excess,
      quantity_short = least(p.quantity_short, p.quantity_needed - l.quantity - (p.quantity_packed - l.excess)),
      version = p.version + 1,
      updated_at = now()
  from less l
  where p.id = l.id;
end
$$;
