-- Lock the stock of products at the location of a till, all that a call gives and takes, before it gives or takes any of it: so two
-- that exchange the same goods in opposite directions wait for each other in one order.
--
-- Callers: interlock.put_back, interlock.take_what_is_there, interlock.undo_sold_stock, interlock.end_parked_sale.
-- Locks: rows of inventory by id, or as interlock.lock_stock; waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_sold_stock(p_location_id uuid, p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_location_id = interlock.online_location() then
    perform interlock.lock_stock(p_product_ids);
    return;
  end if;

  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.inventory i
  where i.location_id = p_location_id
    and i.product_id = any (p_product_ids)
  order by i.id
  for no key update;
end
$$;
