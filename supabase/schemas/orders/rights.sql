-- Who may call what of orders. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
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
  public.ship_order_lines(uuid, jsonb, text, text)
from public, anon, authenticated, service_role;

grant execute on function
  public.cancel_order(uuid, text), interlock.cancel_order,
  public.create_order_transfer(), interlock.create_order_transfer,
  public.redeem_order_transfer(text), interlock.redeem_order_transfer,
  public.checkout(jsonb, text, uuid, text, text, bigint, jsonb, jsonb, jsonb, text, uuid, uuid, bigint), interlock.checkout, interlock.checkout_line,
  public.quote_order(jsonb, text, text, jsonb, uuid), interlock.quote_order,
  public.reserve_cart(jsonb), interlock.reserve_cart,
  public.release_cart(), interlock.release_cart,
  -- For the shop: staff by token, anybody else is refused.
  public.process_order(uuid), interlock.process_order,
  public.ship_order(uuid, text), interlock.ship_order,
  public.ship_order_lines(uuid, jsonb, text, text), interlock.ship_order_lines,
  public.fulfill_order(uuid), interlock.fulfill_order,
  public.refund_order(uuid, boolean), interlock.refund_order,
  public.refund_order_lines(uuid, jsonb, text, boolean, boolean, boolean, text), interlock.refund_order_lines,
  public.correct_order(uuid, jsonb, jsonb, jsonb), interlock.correct_order,
  public.reopen_order(uuid, boolean), interlock.reopen_order,
  public.move_orders(uuid, uuid), interlock.move_orders,
  public.list_orders(text, uuid, uuid, int, bigint), interlock.list_orders,
  public.replace_product_code(bigint, text, text), interlock.replace_product_code
to authenticated, service_role;

-- The shop adds codes, and an index compares them.
grant execute on function interlock.normal_code to service_role;

grant execute on function
  public.claim_product_codes_atomic(uuid, int, uuid, text), interlock.claim_product_codes_atomic,
  public.expire_cart_reservations(int), interlock.expire_cart_reservations,
  public.expire_orders(int), interlock.expire_orders
to service_role;
