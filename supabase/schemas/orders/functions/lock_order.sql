-- Lock an order; the one helper for this kind of lock. The account of its buyer comes first (interlock.lock_user): their
-- wallet may have to be made for a refund.
--
-- Callers: the functions of this schema. Locks: the account of its buyer, the order's row, waiting, `no key`.
-- Errors: 55P03 after lock_timeout. Null if there is no such order, else its status.
create function interlock.lock_order(p_order_id uuid)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_status text;
begin
  perform interlock.lock_user(o.user_id) from interlock.orders o where o.id = p_order_id;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select o.status into v_status from interlock.orders o where o.id = p_order_id for no key update;
  return v_status;
end
$$;
