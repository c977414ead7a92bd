-- Take stock of one product with slots, exactly: all that is in its slots is called in first. Returns what
-- there is if that is too little, null if it was taken.
--
-- Callers: interlock.take_stock, which has locked the product: it is the gate.
-- Locks: the product's slots in order, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.take_at_gate(p_product_id uuid, p_quantity int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_available constant int := interlock.settle_stock(p_product_id);
  v_slots int;
begin
  if v_available < p_quantity then
    return v_available;
  end if;

  update interlock.products p
  set available_quantity = p.available_quantity - p_quantity
  where p.id = p_product_id
  returning p.stock_slots into v_slots;

  perform interlock.grant_slots(p_product_id, v_slots, v_available - p_quantity);
  return null;
end
$$;
