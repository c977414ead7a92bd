-- Take from the stock what a sale at a till has sold and the ledger has not taken, or give back what it has taken too much.
-- Whoever voids the sale meanwhile changes sale and ledger together, and not what they differ by.
--
-- Callers: interlock.resolve_finding.
-- Locks: as interlock.lock_inventory.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, PRODUCT_NOT_FOUND; 55P03 is transient.
create function interlock.correct_till_sale(p_sale_id uuid, p_product_id uuid, p_location_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_lines jsonb;
begin
  v_lines := (
    select interlock.transfer_ends(
      jsonb_build_array(jsonb_build_object('product_id', p_product_id, 'quantity', d.found - d.expected)), p_location_id
    )
    from interlock.find_till_differences(array[p_sale_id], null) d
    where d.product_id = p_product_id
      and d.location_id = p_location_id
  );
  if v_lines is not null then
    perform interlock.refuse_shortages(v_lines, interlock.lock_inventory(v_lines));
    perform interlock.move_quantities(v_lines, p_reason, p_sale_id);
  end if;
end
$$;
