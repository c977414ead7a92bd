-- Whether an order of this status is not at its end: somebody owes money or goods.
--
-- Callers: interlock.guard_order_change, interlock.erase_user, interlock.purge_history.
create function interlock.is_owed_order(p_status text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_status in ('pending_payment', 'confirmed', 'paid');
end
$$;
