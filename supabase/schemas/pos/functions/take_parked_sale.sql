-- Take a parked sale for the sale that it becomes: once. What it holds is the caller's to give back to the stock, before the sale
-- takes what it sells.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals.
-- Locks: as interlock.claim_parked_sale.
-- Errors: as interlock.claim_parked_sale.
create function interlock.take_parked_sale(p_parked_sale_id uuid, p_register interlock.registers)
returns interlock.parked_sales
language plpgsql
set search_path = ''
as $$
declare
  v_parked constant interlock.parked_sales := interlock.claim_parked_sale(p_parked_sale_id, p_register);
begin
  update interlock.parked_sales p
  set status = 'sold',
      register_id = p_register.id,
      held_product_ids = '{}',
      held_quantities = '{}',
      ended_at = interlock.clock()
  where p.id = p_parked_sale_id;
  return v_parked;
end
$$;
