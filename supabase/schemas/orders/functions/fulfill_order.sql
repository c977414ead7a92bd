-- What public.fulfill_order does, with its owner's rights: the goods are handed over. Cash on delivery is paid at the door
-- with it.
--
-- Callers: authenticated (staff) and service_role, through public.fulfill_order.
-- Locks: the account of the buyer and the order; as interlock.close_sent_box, before the counter of the buyer's open orders. Two
--   seconds at most in all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.fulfill_order(p_order_id uuid)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_status text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  v_status := interlock.lock_order(p_order_id);
  if v_status in ('confirmed', 'paid') then
    perform interlock.close_sent_box(p_order_id);
  end if;
  if v_status = 'confirmed' then
    perform interlock.move_order(p_order_id, array['confirmed'], 'paid', 'ORDER_STATE_CONFLICT');
  end if;
  perform interlock.move_order(p_order_id, array['paid'], 'fulfilled', 'ORDER_STATE_CONFLICT');
  return interlock.order_answer(p_order_id);
end
$$;
