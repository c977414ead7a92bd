-- Say in the lines of an order how many of their units were not there. What is owed of a product counts for the order that
-- has just been added to it.
--
-- Callers: interlock.checkout, interlock.retake_order, after interlock.take_stock has said so.
-- Locks: the lines; the products are held.
create function interlock.note_backorders(p_order_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update interlock.order_items i
  set backordered = least(
    i.quantity - (
      select coalesce(sum(f.quantity), 0)
      from interlock.order_refund_items f
      where f.order_id = i.order_id
        and f.product_id = i.product_id
    ),
    p.backordered
  )
  from interlock.products p
  where i.order_id = p_order_id
    and not i.untracked
    and p.id = i.product_id;
end
$$;
