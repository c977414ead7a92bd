-- What public.decrement_inventory does, with its owner's rights: take of a stock, whoever sells from it meanwhile. An id of
-- inventory is one conditional statement; that of a product is its stock in the web shop, slots and stock policy included,
-- as public.decrement_product_quantity takes it. With a reference it counts once: the same call again answers the same and
-- takes nothing.
--
-- The answer is json, and text with the reference, because jsonb would put its members into another order.
--
-- Callers: authenticated (staff) and service_role, through public.decrement_inventory.
-- Locks: the reference; then the row of inventory, or as interlock.take_stock; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, INVENTORY_NOT_FOUND,
--   INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: so that it may use the functions of this schema, and that staff may write stock.
create function interlock.decrement_inventory(p_inventory_id uuid, p_quantity numeric, p_reference text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problem constant text := interlock.find_quantity_problem(p_quantity);
  v_problems jsonb := '[]'::jsonb;
  v_answer text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_inventory_id is null then
    v_problems := v_problems || interlock.problem('/p_inventory_id', 'is required');
  end if;
  if v_problem is not null then
    v_problems := v_problems || interlock.problem('/p_quantity', v_problem);
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_idempotent(
    'decrement_inventory', p_reference, jsonb_build_array(p_inventory_id, trim_scale(p_quantity)), null, true
  );
  if v_answer is not null then
    return v_answer::json;
  end if;

  perform set_config('interlock.reference', coalesce(p_reference, ''), true);
  v_answer := coalesce(
    interlock.decrement_row(p_inventory_id, p_quantity),
    interlock.decrement_online(p_inventory_id, p_quantity)
  );
  perform set_config('interlock.reference', '', true);

  perform interlock.finish_idempotent('decrement_inventory', p_reference, v_answer, true);
  return v_answer::json;
end
$$;
