-- Change the points of a customer whom interlock.lock_points has locked, and leave a row in the ledger. What is earned pays first
-- what is owed; what is taken back and not there is owed.
--
-- Callers: interlock.earn_points, interlock.spend_points, interlock.charge_buyer, interlock.give_buyer_back, interlock.book_orders,
--   interlock.take_points_back, interlock.adjust_points, interlock.redeem_points.
-- Locks: the row of points_accounts, held already.
create function interlock.book_points(
  p_customer_id uuid,
  p_kind text,
  p_points bigint,
  p_amount bigint default 0,
  p_sale_id uuid default null,
  p_order_id uuid default null,
  p_reason text default null
)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_points bigint;
  v_owed bigint;
  v_balance bigint;
begin
  if p_points = 0 and p_amount = 0 then
    return 0;
  end if;
  select
    case when p_points >= 0 then p_points - least(a.owed, p_points) else -least(a.balance, -p_points) end,
    case when p_points >= 0 then -least(a.owed, p_points) else -p_points - least(a.balance, -p_points) end
  into v_points, v_owed
  from interlock.points_accounts a
  where a.customer_id = p_customer_id;

  update interlock.points_accounts a
  set balance = a.balance + v_points,
      owed = a.owed + v_owed
  where a.customer_id = p_customer_id
  returning a.balance into v_balance;

  insert into interlock.points_movements
    (customer_id, kind, points, owed, amount, balance_after, sale_id, order_id, reason, actor)
  values (p_customer_id, p_kind, v_points, v_owed, p_amount, v_balance, p_sale_id, p_order_id, p_reason, auth.uid());
  return v_points;
end
$$;
