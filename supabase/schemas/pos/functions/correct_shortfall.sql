-- Take from the stock what a till that was cut off has sold and was not there then. By now it must be.
--
-- Callers: interlock.resolve_finding.
-- Locks: the sale; as interlock.lock_inventory.
-- Errors: INSUFFICIENT_INVENTORY; 55P03 is transient.
create function interlock.correct_shortfall(p_sale_id uuid, p_product_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_shortfall interlock.sale_shortfalls;
  v_lines jsonb;
begin
  perform interlock.lock_sales(array[p_sale_id]);
  select f.*
  into v_shortfall
  from interlock.sale_shortfalls f
  join interlock.sales s on s.id = f.sale_id and s.status = 'completed'
  where f.sale_id = p_sale_id
    and f.product_id = p_product_id
    and f.taken_at is null;
  if not found then
    return;
  end if;

  v_lines := interlock.transfer_ends(
    jsonb_build_array(jsonb_build_object('product_id', p_product_id, 'quantity', -v_shortfall.quantity)), v_shortfall.location_id
  );
  perform interlock.refuse_shortages(v_lines, interlock.lock_inventory(v_lines));
  perform interlock.move_quantities(v_lines, p_reason, p_sale_id);
  update interlock.sale_shortfalls f
  set taken_at = interlock.clock()
  where f.sale_id = p_sale_id
    and f.product_id = p_product_id;
end
$$;
