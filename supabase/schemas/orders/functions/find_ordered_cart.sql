-- The live order of a cart, as an error shows it: one that was not cancelled, has not expired and was not refunded.
--
-- Callers: interlock.checkout, interlock.checkout_line, interlock.retake_order. Null where there is none; a cart without a name has none.
create function interlock.find_ordered_cart(p_user_id uuid, p_cart_id uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object('order_id', o.id, 'status', o.status)
    from interlock.orders o
    where o.user_id = p_user_id
      and o.cart_id = p_cart_id
      and o.status not in ('cancelled', 'expired', 'refunded')
  );
end
$$;
