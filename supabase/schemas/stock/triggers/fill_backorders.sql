-- Trigger: stock that comes in fills what is owed before there is anything to sell, whoever books it in.
--
-- Callers: trigger products_backorders_filled, for a product that would have both.
-- Locks: none beyond the row being updated.
create function interlock.fill_backorders()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_filled constant int := least(new.backordered, new.available_quantity);
begin
  new.backordered := new.backordered - v_filled;
  new.available_quantity := new.available_quantity - v_filled;
  return new;
end
$$;
