-- What a badge at a product shows of so many units of it: in_stock, low (no more than its low_stock_at), on_order (none, but it can
-- be ordered) or sold_out. One that is sold without asking for stock is always there.
--
-- Callers: interlock.get_stock, interlock.tell_stock.
-- Locks: none.
create function interlock.stock_state(p_product interlock.products, p_available int)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when p_product.stock_policy = 'untracked' or p_available > p_product.low_stock_at then 'in_stock'
    when p_available > 0 then 'low'
    when p_product.stock_policy = 'backorder' and p_product.backordered < p_product.backorder_limit then 'on_order'
    else 'sold_out'
  end;
end
$$;
