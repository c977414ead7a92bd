set local lock_timeout = '5s';

drop function
  public.adjust_stock(uuid, int, text, text),
  public.count_stock(uuid, int, int, text, text),
  public.decrement_inventory(uuid, numeric, text),
  public.get_stock(uuid[]),
  public.manage_inventory(text, jsonb, text, text, uuid, boolean, timestamptz, boolean, text),
  public.set_stock_slots(uuid, int);
drop view interlock.stock_differences;
drop view interlock.inventory_levels;
drop view interlock.inventory_items;
drop view interlock.inventory_conflict_rates;
drop function
  interlock.adjust_stock,
  interlock.admit_checkout,
  interlock.change_inventory,
  interlock.change_inventory_once,
  interlock.close_stock_ledger,
  interlock.count_stock,
  interlock.decrement_inventory,
  interlock.decrement_online,
  interlock.decrement_row,
  interlock.find_adjustment_problems,
  interlock.find_began_problem,
  interlock.find_inventory_conflicts,
  interlock.find_inventory_problems,
  interlock.find_member_problem,
  interlock.find_quantity_problem,
  interlock.get_inventory,
  interlock.get_stock,
  interlock.inventory_members,
  interlock.lock_exact_stock,
  interlock.lock_inventory,
  interlock.lock_stock,
  interlock.manage_inventory,
  interlock.move_stock,
  interlock.moved_since,
  interlock.name_inventory_lines,
  interlock.plan_inventory,
  interlock.raise_product_changed,
  interlock.raise_products_not_found,
  interlock.rebased_lines,
  interlock.return_stock,
  interlock.set_stock_slots,
  interlock.settle_stock,
  interlock.stock_version,
  interlock.take_at_gate,
  interlock.take_backorders,
  interlock.take_from_rows,
  interlock.take_from_slots,
  interlock.take_stock,
  interlock.write_inventory;
drop table
  interlock.stock_movements,
  interlock.stock_balances,
  interlock.inventory_conflicts,
  interlock.inventory,
  interlock.locations,
  interlock.products;
drop domain
  interlock.quantity,
  interlock.quantity_change,
  interlock.unit_name,
  interlock.decimals,
  interlock.price,
  interlock.product_kind,
  interlock.stock_policy;
drop function
  interlock.cover_stock_slots,
  interlock.guard_inventory,
  interlock.guard_stock_policy,
  interlock.keep_decimals,
  interlock.keep_location,
  interlock.record_inventory_movements,
  interlock.record_stock_movements,
  interlock.refuse_delete_of_sold_product,
  interlock.refuse_product_identity_change,
  interlock.refuse_stock_overwrite,
  interlock.settle_changed_stock,
  interlock.online_location,
  interlock.to_time;
