-- Whether an order of this status holds goods that nobody has paid for.
--
-- Callers: interlock.count_open_orders, interlock.count_orders_so_far.
create function interlock.is_open_order(p_status text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_status in ('pending_payment', 'confirmed');
end
$$;
