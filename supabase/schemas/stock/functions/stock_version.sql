-- The version of a product's stock in the web shop: its latest movement, also if that is closed and gone; 0 if there was
-- none. So a sale writes nothing more than it does anyway. It is exact for who holds the product and its slots, or of a
-- product without slots: sales from slots go side by side, so a later one may be there before an earlier one is.
--
-- Callers: functions that answer or compare versions.
create function interlock.stock_version(p_product_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return greatest(
    0,
    (
      select m.id
      from interlock.stock_movements m
      where m.product_id = p_product_id
        and m.location_id = interlock.online_location()
      order by m.id desc
      limit 1
    ),
    (
      select b.closed_through
      from interlock.stock_balances b
      where b.product_id = p_product_id
        and b.location_id = interlock.online_location()
    )
  );
end
$$;
