-- How much of an order's wallet_amount has gone back once p_refunded of its total has: what is paid in the other way goes
-- back first.
--
-- Callers: interlock.give_back, interlock.retake_order.
create function interlock.wallet_returned(p_order interlock.orders, p_refunded bigint)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return greatest(p_refunded - (p_order.total - p_order.wallet_amount), 0);
end
$$;
