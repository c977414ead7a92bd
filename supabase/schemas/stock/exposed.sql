-- What apps and the shop read of stock over REST, each where its name is free in public (interlock.expose).
select interlock.expose('products');
select interlock.expose('stock_movements');
select interlock.expose('stock_differences');
select interlock.expose('locations');
select interlock.expose('inventory');
select interlock.expose('inventory_items');
select interlock.expose('inventory_levels');
select interlock.expose('inventory_conflict_rates');
select interlock.expose('stock_transfers');
select interlock.expose('stock_transfer_lines');
