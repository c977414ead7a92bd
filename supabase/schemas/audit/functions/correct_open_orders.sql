-- Set the counter of a customer's open orders to what they come to. Whoever counts an order up or down waits for it, and
-- whoever has done so is waited for.
--
-- Callers: interlock.resolve_finding.
-- Locks: the counter of the customer's open orders, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.correct_open_orders(p_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.customer_open_orders (user_id) values (p_user_id) on conflict do nothing;
  perform 1 from interlock.customer_open_orders c where c.user_id = p_user_id for no key update;

  update interlock.customer_open_orders c
  set orders = d.orders,
      units = d.units
  from interlock.find_open_order_differences(array[p_user_id]) d
  where c.user_id = p_user_id;
end
$$;
