-- Whether a customer has an order. One that ended without a sale is none.
--
-- Callers: interlock.evaluate_promo. For an answer that lasts until commit the caller holds
--   interlock.lock_first_order.
create function interlock.has_other_order(p_user_id uuid, p_order_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select 1
    from interlock.orders o
    where o.user_id = p_user_id
      and o.id is distinct from p_order_id
      and o.status not in ('cancelled', 'expired', 'refunded')
  );
end
$$;
