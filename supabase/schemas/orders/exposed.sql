-- What apps and the shop read of orders over REST, each where its name is free in public (interlock.expose).
select interlock.expose('orders');
select interlock.expose('order_items');
select interlock.expose('order_events');
select interlock.expose('order_refunds');
select interlock.expose('order_refund_items');
select interlock.expose('order_shipments');
select interlock.expose('order_shipment_items');
select interlock.expose('order_details');
select interlock.expose('cart_reservations');
select interlock.expose('cart_reservation_lines');
select interlock.expose('shipping_methods');
select interlock.expose('tax_rates');
select interlock.expose('order_detail_changes');
select interlock.expose('product_codes');
select interlock.expose('code_differences');
