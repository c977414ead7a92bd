-- What public.process_order does, with its owner's rights: the shop picks and packs the goods. Called again it changes nothing.
--
-- Callers: authenticated (staff) and service_role, through public.process_order.
-- Locks: the order, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.process_order(p_order_id uuid)
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

  perform interlock.move_goods(p_order_id, array['unfulfilled'], 'processing', null);
  return interlock.order_answer(p_order_id);
end
$$;
