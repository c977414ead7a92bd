-- What tills and the shop read over REST, each where its name is free in public (interlock.expose).
select interlock.expose('registers');
select interlock.expose('shifts');
select interlock.expose('cash_movements');
select interlock.expose('product_barcodes');
select interlock.expose('sales');
select interlock.expose('sale_lines');
select interlock.expose('sale_tenders');
select interlock.expose('sale_returns');
select interlock.expose('sale_shortfalls');
select interlock.expose('shift_corrections');
select interlock.expose('parked_sales');
select interlock.expose('sale_approvals');
