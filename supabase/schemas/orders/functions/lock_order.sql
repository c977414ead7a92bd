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
  v_owner uuid;
  v_locked uuid;
  v_status text;
begin
  -- An order changes its owner under the lock of both accounts (interlock.move_guest): whoever has waited for one of them
  -- looks again.
  loop
    select o.user_id into v_owner from interlock.orders o where o.id = p_order_id;
    exit when v_owner is null or v_owner = v_locked;
    perform interlock.lock_user(v_owner);
    v_locked := v_owner;
  end loop;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select o.status into v_status from interlock.orders o where o.id = p_order_id for no key update;
  return v_status;
end
$$;
