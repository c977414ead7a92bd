-- What of an order is refunded before it was sent is needed no more in the session in which it is picked and packed: what of it is
-- in the box already is in the basket again. An order that needs nothing any more leaves the session.
--
-- Callers: interlock.take_off_order, before it locks anything else; with the order locked.
-- Locks: the box; the baskets by product; the lines; the session.
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

  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.picking_session_items i
  where i.picking_session_id = v_session_id
    and i.product_id = any (p_product_ids)
  order by i.product_id
  for no key update;
  with less as (
    select
      p.id, p.product_id, u.quantity,
      greatest(p.quantity_packed - (p.quantity_needed - u.quantity), 0) as excess
    from unnest(p_product_ids, p_quantities) as u (product_id, quantity)
    join interlock.packing_progress p
      on p.picking_session_id = v_session_id and p.order_id = p_order_id and p.product_id = u.product_id
    where u.quantity > 0
  ),
  baskets as (
    update interlock.picking_session_items i
    set quantity_needed = i.quantity_needed - l.quantity,
        quantity_packed = i.quantity_packed - l.excess,
        version = i.version + 1
    from less l
    where i.picking_session_id = v_session_id
      and i.product_id = l.product_id
  ),
  scans as (
    insert into interlock.packing_scans (picking_session_id, order_id, product_id, action, quantity, actor)
    select v_session_id, p_order_id, l.product_id, 'take_out', -l.excess, auth.uid()
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
