set local lock_timeout = '5s';

select interlock.conceal('stock_transfer_lines');
select interlock.conceal('stock_transfers');
select interlock.conceal('inventory_conflict_rates');
select interlock.conceal('inventory_levels');
select interlock.conceal('inventory_items');
select interlock.conceal('inventory');
select interlock.conceal('locations');
select interlock.conceal('stock_differences');
select interlock.conceal('stock_movements');
select interlock.conceal('products');
drop function
  public.decrement_product_quantity(uuid, int, text);
drop function
  interlock.decrement_product_quantity;
alter table interlock.products drop constraint products_available_quantity_nonnegative;
