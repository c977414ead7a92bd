-- Lock a cart of a customer: of those who order it at the same time one comes first, and the others find its order.
--
-- Callers: interlock.checkout, interlock.checkout_line; whoever makes an order live again, before it does.
-- Locks: advisory, by customer and cart, until the transaction ends; waits.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_cart(p_user_id uuid, p_cart_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform pg_advisory_xact_lock(hashtextextended(format('interlock cart %s %s', p_user_id, p_cart_id), 0));
end
$$;
