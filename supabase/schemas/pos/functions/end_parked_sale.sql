-- End a parked sale that does not become a sale: what it holds is on the shelf again.
--
-- Callers: interlock.discard_parked_sale, interlock.expire_parked_sales, which hold it.
-- Locks: stock as interlock.lock_sold_stock.
-- Errors: STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.end_parked_sale(p_parked interlock.parked_sales, p_status text)
returns interlock.parked_sales
language plpgsql
set search_path = ''
as $$
declare
  v_parked interlock.parked_sales;
begin
  if p_parked.held_product_ids <> '{}' then
    perform interlock.lock_sold_stock(p_parked.location_id, p_parked.held_product_ids);
    perform interlock.give_sold_stock(
      p_parked.location_id, p_parked.held_product_ids, p_parked.held_quantities, 'pos_park', p_parked.id
    );
  end if;
  update interlock.parked_sales p
  set status = p_status,
      held_product_ids = '{}',
      held_quantities = '{}',
      ended_at = interlock.clock()
  where p.id = p_parked.id
  returning p.* into v_parked;
  return v_parked;
end
$$;
