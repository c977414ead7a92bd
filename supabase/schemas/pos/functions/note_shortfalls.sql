-- Write down what a sale of a till that was cut off has sold of stock that was not there, and tell it.
--
-- Callers: interlock.make_sale, with what interlock.take_what_is_there has answered.
-- Locks: none.
create function interlock.note_shortfalls(p_sale_id uuid, p_shortfalls jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into interlock.sale_shortfalls (sale_id, product_id, location_id, inventory_id, sold, quantity)
  select p_sale_id, f.product_id, f.location_id, f.inventory_id, f.requested, f.requested - f.available
  from jsonb_to_recordset(p_shortfalls) as f (
    product_id uuid, location_id uuid, inventory_id uuid, requested numeric, available numeric
  );
  perform interlock.note_event(
    'stock.oversold_offline', p_sale_id::text, jsonb_build_object('sale_id', p_sale_id, 'shortfalls', p_shortfalls)
  );
end
$$;
