-- Broadcast that a product is sold out, back, scarce, or not scarce any more.
--
-- Callers: interlock.record_stock_movement, where the stock comes to another step; not with each sale.
-- Locks: none; the product is locked, so messages of one product are in the order of what happened.
create function interlock.broadcast_stock(p_product interlock.products)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.broadcast('stock:' || p_product.id, 'stock.changed', jsonb_build_object(
    'product_id', p_product.id,
    'available_quantity', p_product.available_quantity,
    'stock_policy', p_product.stock_policy
  ));
end
$$;
