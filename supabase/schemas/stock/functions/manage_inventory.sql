-- What public.manage_inventory does, with its owner's rights: read stock with its versions, or change it, all lines or
-- none, in one transaction.
--
-- p_rebase says that the caller tries a `set` again on the present stock if that is not what they have read: quantity and
-- expected_quantity are other numbers each time, their difference stays. So the request that a key remembers has the
-- difference; send it from the first try on.
--
-- The answer is json, and text with key and reference, because jsonb would put its members into another order.
--
-- Callers: authenticated (staff) and service_role, through public.manage_inventory.
-- Locks: the key, the reference, the transfer; then as interlock.lock_inventory; two seconds at most for all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, INVENTORY_NOT_FOUND, LOCATION_NOT_FOUND,
--   PRODUCT_NOT_FOUND, INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED, STOCK_TRANSFER_NOT_FOUND, TRANSFER_EXCEEDED,
--   TRANSFER_ENDED; 55P03 and 40P01 are transient and nothing has
--   happened. VERSION_CONFLICT is answered, so that it is counted (stock/tables/inventory_conflicts.sql).
-- Security definer: so that it may use the functions of this schema, and that staff may write stock.
create function interlock.manage_inventory(
  p_action text,
  p_lines jsonb,
  p_reason text,
  p_reference text,
  p_transfer_id uuid,
  p_in_transit boolean,
  p_began_at timestamptz,
  p_rebase boolean,
  p_idempotency_key text
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_conflicts jsonb;
  v_text text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  perform interlock.refuse_problems(interlock.find_inventory_problems(
    p_action, p_lines, p_reason, p_reference, p_transfer_id, p_in_transit, p_began_at, p_rebase, p_idempotency_key
  ));
  if p_action = 'get' then
    return interlock.get_inventory(p_lines);
  end if;

  begin
    return interlock.change_inventory_once(
      p_action, p_lines, p_reason, p_reference, p_transfer_id, p_in_transit, p_began_at, p_rebase, p_idempotency_key
    );
  exception
    -- What it has written and locked is undone, its key included.
    when sqlstate 'IL003' then
      get stacked diagnostics v_text = pg_exception_detail;
      v_conflicts := v_text::jsonb;
  end;

  insert into interlock.inventory_conflicts (product_id, operation, rebased)
  select (c ->> 'product_id')::uuid, p_action, p_rebase is true
  from jsonb_array_elements(v_conflicts) as c;

  perform set_config('response.status', '409', true);
  return interlock.error_body('VERSION_CONFLICT', jsonb_build_object('conflicts', v_conflicts));
end
$$;
