-- What public.refund_order does, with its owner's rights. Money that was paid from the wallet goes back into it, unless
-- the shop has given it back in another way (p_outside): the only one there is once the buyer's account is gone.
--
-- Callers: authenticated (staff) and service_role, through public.refund_order.
-- Locks: order, then as interlock.settle_orders; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, STOCK_LIMIT_EXCEEDED,
--   WALLET_OWNER_GONE; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.refund_order(p_order_id uuid, p_outside boolean)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_outside then
    perform interlock.lock_order(p_order_id);
    update interlock.orders o
    set refunded_outside = true
    where o.id = p_order_id
      and o.status in ('paid', 'fulfilled');
  end if;
  perform interlock.move_order(p_order_id, array['paid', 'fulfilled'], 'refunded', 'ORDER_STATE_CONFLICT');
  return interlock.order_answer(p_order_id);
end
$$;
