-- Refuse, all at once, what is taken of stock that is not there. Lines that take of the same stock are added up.
--
-- Callers: interlock.transfer_inventory, interlock.correct_transfer, interlock.correct_shortfall, interlock.correct_till_sale,
--   interlock.take_packed_stock; with the stock that interlock.lock_inventory has answered.
-- Errors: INSUFFICIENT_INVENTORY.
create function interlock.refuse_shortages(p_lines jsonb, p_stock jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_shortages jsonb;
begin
  select jsonb_agg(
    jsonb_build_object(
      'inventory_id', w.inventory_id,
      'product_id', s.product_id,
      'location_id', s.location_id,
      'requested', trim_scale(-w.change),
      'available', trim_scale(s.quantity + s.owed)
    )
    order by s.first_line
  )
  into v_shortages
  from (
    select l.inventory_id, l.product_id, l.location_id, sum(l.change) as change
    from jsonb_to_recordset(p_lines) as l (inventory_id uuid, product_id uuid, location_id uuid, change numeric)
    group by l.inventory_id, l.product_id, l.location_id
  ) w
  join jsonb_to_recordset(p_stock) as s (
    first_line int, product_id uuid, location_id uuid, quantity numeric, owed numeric
  ) on s.product_id = w.product_id and s.location_id = w.location_id
  where s.quantity + s.owed + w.change < 0;

  if v_shortages is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_shortages));
  end if;
end
$$;
