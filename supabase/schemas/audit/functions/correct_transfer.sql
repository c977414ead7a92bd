-- Bring the stock of a location to what the lines of a transfer say: what the ledger has moved too little for it, or too much.
-- Whoever books what becomes of the transfer meanwhile changes lines and ledger together, and not what they differ by.
--
-- Callers: interlock.resolve_finding.
-- Locks: as interlock.lock_inventory.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, PRODUCT_NOT_FOUND; 55P03 is transient.
create function interlock.correct_transfer(p_transfer_id uuid, p_product_id uuid, p_location_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_lines jsonb;
begin
  v_lines := (
    select interlock.transfer_ends(
      jsonb_build_array(jsonb_build_object('product_id', p_product_id, 'quantity', d.expected - d.found)), p_location_id
    )
    from interlock.find_transfer_differences(array[p_transfer_id]) d
    where d.product_id = p_product_id
      and d.location_id = p_location_id
  );
  if v_lines is not null then
    perform interlock.refuse_shortages(v_lines, interlock.lock_inventory(v_lines));
    perform interlock.move_quantities(v_lines, p_reason, p_transfer_id);
  end if;
end
$$;
