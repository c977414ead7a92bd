-- Adjust, receive, set or count, and answer the lines of stock that it has changed.
--
-- Callers: interlock.manage_inventory, in a sub-transaction of its own.
-- Locks: as interlock.lock_inventory.
-- Errors: INVENTORY_NOT_FOUND, LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND, VALIDATION_FAILED, INSUFFICIENT_INVENTORY,
--   STOCK_LIMIT_EXCEEDED; IL003 with all conflicts if the stock is not what is expected; 55P03 after lock_timeout.
create function interlock.change_inventory(p_action text, p_lines jsonb, p_reason text, p_began_at timestamptz)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_lines constant jsonb := interlock.name_inventory_lines(p_action, p_lines, p_action = 'receive');
  v_stock constant jsonb := interlock.lock_inventory(v_lines);
  v_conflicts jsonb;
begin
  if v_lines @? '$[*] ? (exists(@.expected_version) || exists(@.expected_quantity))' then
    v_conflicts := interlock.find_inventory_conflicts(v_lines, v_stock);
  end if;
  if v_conflicts is not null then
    raise exception using errcode = 'IL003', message = 'not what was read', detail = v_conflicts::text;
  end if;

  perform interlock.write_inventory(
    interlock.plan_inventory(p_action, v_lines, v_stock, p_began_at),
    coalesce(p_reason, case p_action when 'adjust' then 'adjustment' when 'receive' then 'received' when 'set' then 'correction' else p_action end)
  );
  return interlock.moved_inventory(v_stock);
end
$$;
