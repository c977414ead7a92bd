-- An order as its buyer sees it, with its lines, and its details and the wallet's part if it has any.
--
-- Callers: interlock.order_to_json. interlock.checkout and interlock.checkout_line write the same of a new order by themselves.
create function interlock.shape_order(p_order interlock.orders, p_items jsonb, p_details jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_shape jsonb := jsonb_build_object(
    'id', p_order.id,
    'number', p_order.number,
    'status', p_order.status,
    'fulfillment', p_order.fulfillment,
    'currency', p_order.currency,
    'subtotal', p_order.subtotal,
    'discount', p_order.discount,
    'shipping_method', p_order.shipping_method,
    'shipping', p_order.shipping,
    'shipping_tax', p_order.shipping_tax,
    'tax', p_order.tax,
    'tax_included', p_order.tax_included,
    'total', p_order.total,
    'payment_method', p_order.payment_method,
    'cart_id', p_order.cart_id,
    'created_at', p_order.created_at,
    'payment_expires_at', p_order.payment_expires_at,
    'paid_at', p_order.paid_at,
    'shipped_at', p_order.shipped_at,
    'tracking', p_order.tracking,
    'fulfilled_at', p_order.fulfilled_at,
    'cancelled_at', p_order.cancelled_at,
    'refunded_at', p_order.refunded_at,
    'items', p_items
  );
begin
  if p_order.wallet_amount > 0 then
    v_shape := v_shape || jsonb_build_object('wallet_amount', p_order.wallet_amount);
  end if;
  if p_details is null then
    return v_shape;
  end if;
  return v_shape || p_details;
end
$$;
