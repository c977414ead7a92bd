set local lock_timeout = '5s';

select interlock.conceal('code_differences');
select interlock.conceal('product_codes');
select interlock.conceal('order_detail_changes');
select interlock.conceal('tax_rates');
select interlock.conceal('shipping_methods');
select interlock.conceal('cart_reservation_lines');
select interlock.conceal('cart_reservations');
select interlock.conceal('order_details');
select interlock.conceal('order_shipment_items');
select interlock.conceal('order_shipments');
select interlock.conceal('order_refund_items');
select interlock.conceal('order_refunds');
select interlock.conceal('order_events');
select interlock.conceal('order_items');
select interlock.conceal('orders');
drop function
  public.cancel_order(uuid, text),
  public.checkout(jsonb, text, uuid, text, text, bigint, jsonb, jsonb, jsonb, text, uuid, uuid, bigint),
  public.claim_product_codes_atomic(uuid, int, uuid, text),
  public.correct_order(uuid, jsonb, jsonb, jsonb),
  public.create_order_transfer(),
  public.expire_cart_reservations(int),
  public.expire_orders(int),
  public.fulfill_order(uuid),
  public.list_orders(text, uuid, uuid, int, bigint),
  public.move_orders(uuid, uuid),
  public.process_order(uuid),
  public.quote_order(jsonb, text, text, jsonb, uuid),
  public.redeem_order_transfer(text),
  public.refund_order(uuid, boolean),
  public.refund_order_lines(uuid, jsonb, text, boolean, boolean, boolean, text),
  public.release_cart(),
  public.reopen_order(uuid, boolean),
  public.replace_product_code(bigint, text, text),
  public.reserve_cart(jsonb),
  public.ship_order(uuid, text),
  public.ship_order_lines(uuid, jsonb, text, text);
drop view interlock.code_differences;
drop trigger settings_count_orders on interlock.settings;
drop function
  interlock.add_shipment,
  interlock.cancel_order,
  interlock.charge_order,
  interlock.checkout,
  interlock.checkout_line,
  interlock.claim_product_codes_atomic,
  interlock.correct_order,
  interlock.create_order_transfer,
  interlock.end_reservation,
  interlock.expire_cart_reservations,
  interlock.expire_orders,
  interlock.find_checkout_problems,
  interlock.find_detail_problems,
  interlock.find_line_problems,
  interlock.find_ordered_cart,
  interlock.fulfill_order,
  interlock.has_to_ship,
  interlock.is_amount,
  interlock.is_guest,
  interlock.is_plain_cart,
  interlock.line_through,
  interlock.list_orders,
  interlock.lock_cart,
  interlock.lock_order,
  interlock.look_at_cart,
  interlock.look_at_terms,
  interlock.move_goods,
  interlock.move_guest,
  interlock.move_order,
  interlock.move_orders,
  interlock.move_reservation,
  interlock.new_order,
  interlock.note_backorders,
  interlock.order_answer,
  interlock.order_rest,
  interlock.order_to_json,
  interlock.price_change,
  interlock.process_order,
  interlock.quote_order,
  interlock.redeem_order_transfer,
  interlock.refund_order,
  interlock.refund_order_lines,
  interlock.release_cart,
  interlock.reopen_order,
  interlock.replace_product_code,
  interlock.reserve_cart,
  interlock.retake_order,
  interlock.shape_details,
  interlock.shape_order,
  interlock.share_of,
  interlock.ship_order,
  interlock.ship_order_lines,
  interlock.take_customer_limits,
  interlock.take_off_order,
  interlock.take_open_order,
  interlock.take_product_codes,
  interlock.take_reservation,
  interlock.tax_of,
  interlock.transfer_answer;
drop table
  interlock.tax_rates,
  interlock.shipping_methods,
  interlock.product_codes,
  interlock.order_transfers,
  interlock.order_shipment_items,
  interlock.order_refund_items,
  interlock.order_events,
  interlock.order_details,
  interlock.order_detail_changes,
  interlock.customer_open_orders,
  interlock.cart_reservations,
  interlock.cart_reservation_lines,
  interlock.order_shipments,
  interlock.order_refunds,
  interlock.order_items,
  interlock.orders;
drop type
  interlock.cart_look;
drop domain
  interlock.details,
  interlock.order_status,
  interlock.fulfillment,
  interlock.payment_method,
  interlock.order_event,
  interlock.product_code,
  interlock.percentage;
drop function
  interlock.broadcast_order,
  interlock.count_free_codes,
  interlock.count_open_orders,
  interlock.count_orders_so_far,
  interlock.forget_order_details,
  interlock.guard_order_change,
  interlock.guard_product_code,
  interlock.note_tax_rates,
  interlock.record_order_event,
  interlock.settle_orders,
  interlock.is_open_order,
  interlock.is_owed_order,
  interlock.normal_code,
  interlock.order_times_match;
