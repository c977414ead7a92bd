-- Make the slots of a product anew: as many as its row says, with what it has shared out. Those of nobody go.
--
-- Callers: interlock.resolve_finding.
-- Locks: the product and its slots, waiting.
-- Errors: 23514 check_violation if its slots have sold more than there was; 55P03 after lock_timeout.
create function interlock.correct_slots(p_product_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_slots int;
begin
  perform interlock.lock_stock(array[p_product_id]);
  perform interlock.settle_stock(p_product_id);
  v_slots := coalesce((select p.stock_slots from interlock.products p where p.id = p_product_id), 0);
  perform interlock.make_slots(p_product_id, v_slots);
  perform interlock.grant_slots(p_product_id, v_slots, p.available_quantity)
  from interlock.products p
  where p.id = p_product_id;
end
$$;
