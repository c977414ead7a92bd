-- Refuse a cart that has a live order: one that was not cancelled, has not expired and was not refunded.
--
-- Callers: interlock.checkout, interlock.checkout_line, interlock.retake_order. A cart without a name has no order.
-- Errors: CART_ALREADY_ORDERED with the order.
create function interlock.refuse_ordered_cart(p_user_id uuid, p_cart_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order record;
begin
  select o.id, o.status
  into v_order
  from interlock.orders o
  where o.user_id = p_user_id
    and o.cart_id = p_cart_id
    and o.status not in ('cancelled', 'expired', 'refunded');

  if found then
    perform interlock.raise_error(
      'CART_ALREADY_ORDERED', jsonb_build_object('order_id', v_order.id, 'status', v_order.status)
    );
  end if;
end
$$;
