-- What the warehouse and the shop read over REST, each where its name is free in public (interlock.expose).
select interlock.expose('picking_sessions');
select interlock.expose('picking_session_orders');
select interlock.expose('picking_session_items');
select interlock.expose('packing_progress');
select interlock.expose('packing_scans');
select interlock.expose('put_backs');
select interlock.expose('packing_conflict_rates');
select interlock.expose('packing_differences');
