-- Book what a sale at a till earns and spends, for a customer whom interlock.lock_points has locked: first what is spent, then what
-- is earned at the share of the tier they had, then the tier. p_amounts are what each line costs, tax in it; p_by_points is how
-- much of it is paid with points, p_spent how many.
--
-- Callers: interlock.charge_buyer.
-- Locks: the row of points_accounts, held already.
-- Errors: INSUFFICIENT_POINTS.
create function interlock.earn_points(
  p_customer_id uuid,
  p_sale_id uuid,
  p_currency text,
  p_product_ids uuid[],
  p_amounts bigint[],
  p_by_points bigint,
  p_spent bigint
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_account interlock.points_accounts;
  v_earned bigint;
  v_tier text;
begin
  select a.* into v_account from interlock.points_accounts a where a.customer_id = p_customer_id;
  if v_account.balance < p_spent then
    perform interlock.raise_error('INSUFFICIENT_POINTS', jsonb_build_object('balance', v_account.balance, 'requested', p_spent));
  end if;
  perform interlock.book_points(p_customer_id, 'spent', -p_spent, 0, p_sale_id);

  v_earned := interlock.points_for(p_currency, p_product_ids, p_amounts, p_by_points, v_account.tier);
  perform interlock.book_points(
    p_customer_id, 'earned', v_earned, (select coalesce(sum(a), 0) from unnest(p_amounts) as a)::bigint, p_sale_id
  );
  v_tier := interlock.settle_tier(p_customer_id);
  return jsonb_build_object(
    'earned', v_earned,
    'spent', p_spent,
    'balance', (select a.balance from interlock.points_accounts a where a.customer_id = p_customer_id),
    'tier', v_tier,
    'tier_before', v_account.tier
  );
end
$$;
