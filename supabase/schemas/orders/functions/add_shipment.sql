-- Write down a parcel with so many units of lines of an order.
--
-- Callers: interlock.ship_order_lines; interlock.move_goods, for all that is left; interlock.complete_box, for what is packed.
--   With the order locked, and the units looked at.
-- Locks: none beyond the rows it inserts.
create function interlock.add_shipment(p_order_id uuid, p_product_ids uuid[], p_quantities int[], p_tracking text)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_id constant uuid := interlock.new_id();
begin
  insert into interlock.order_shipments (id, order_id, tracking, actor, created_at)
  values (v_id, p_order_id, p_tracking, auth.uid(), interlock.clock());

  insert into interlock.order_shipment_items (order_id, product_id, first_unit, shipment_id, quantity)
  select
    p_order_id,
    w.product_id,
    1 + (
      select coalesce(sum(s.quantity), 0)
      from interlock.order_shipment_items s
      where s.order_id = p_order_id
        and s.product_id = w.product_id
    ),
    v_id,
    w.quantity
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity);

  return v_id;
end
$$;
