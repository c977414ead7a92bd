-- What public.ship_order does, with its owner's rights: the goods have left, or what was left
-- of them, in one parcel. Called again it changes nothing but the tracking number, if another one is named.
--
-- Callers: authenticated (staff) and service_role, through public.ship_order.
-- Locks: the account of the buyer and the order; as interlock.close_sent_box. Two seconds at most in all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, INSUFFICIENT_INVENTORY;
--   55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.ship_order(p_order_id uuid, p_tracking text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  if p_tracking is not null and interlock.is_line(p_tracking, 200) is not true then
    perform interlock.refuse_problems(interlock.problem('/p_tracking', 'must have 1 to 200 characters'));
  end if;

  perform interlock.move_goods(p_order_id, array['unfulfilled', 'processing', 'partly_shipped'], 'shipped', p_tracking);
  return interlock.order_answer(p_order_id);
end
$$;
