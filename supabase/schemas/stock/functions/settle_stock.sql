-- Call in the slots of a product, so that its stock is in its row again. Returns it, exactly.
--
-- Callers: functions that have locked the product.
-- Locks: its slots in order, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.settle_stock(p_product_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used constant int := interlock.call_in_slots(p_product_id);
  v_writes_ledger text;
begin
  if v_used > 0 then
    v_writes_ledger := current_setting('interlock.writes_ledger', true);
    perform set_config('interlock.writes_ledger', pg_trigger_depth()::text, true);

    update interlock.products p
    set available_quantity = p.available_quantity - v_used
    where p.id = p_product_id;

    perform set_config('interlock.writes_ledger', v_writes_ledger, true);
  end if;

  return (select p.available_quantity from interlock.products p where p.id = p_product_id);
end
$$;
