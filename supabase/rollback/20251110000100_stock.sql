set local lock_timeout = '5s';

drop function
  public.adjust_stock(uuid, int, text, text),
  public.count_stock(uuid, int, int, text, text),
  public.get_stock(uuid[]),
  public.set_stock_slots(uuid, int);
drop view interlock.stock_differences;
drop function
  interlock.adjust_stock,
  interlock.admit_checkout,
  interlock.count_stock,
  interlock.find_adjustment_problems,
  interlock.get_stock,
  interlock.lock_exact_stock,
  interlock.lock_stock,
  interlock.move_stock,
  interlock.raise_product_changed,
  interlock.raise_products_not_found,
  interlock.return_stock,
  interlock.set_stock_slots,
  interlock.settle_stock,
  interlock.take_at_gate,
  interlock.take_backorders,
  interlock.take_from_rows,
  interlock.take_from_slots,
  interlock.take_stock;
drop table
  interlock.stock_movements,
  interlock.stock_balances,
  interlock.products;
drop domain
  interlock.price,
  interlock.product_kind,
  interlock.stock_policy;
drop function
  interlock.cover_stock_slots,
  interlock.guard_stock_policy,
  interlock.record_stock_movements,
  interlock.refuse_delete_of_sold_product,
  interlock.refuse_product_identity_change,
  interlock.refuse_stock_overwrite,
  interlock.settle_changed_stock;
