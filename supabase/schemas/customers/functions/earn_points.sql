-- Book what a sale at a till earns, for a customer whom interlock.lock_points has locked, at the share of the tier that they had (p_tier),
-- and then the tier. p_amounts are what each line costs, tax in it; p_by_points is how much of it is paid with points.
--
-- Callers: interlock.charge_buyer.
-- Locks: the row of points_accounts, held already.
create function interlock.earn_points(
  p_customer_id uuid,
  p_sale_id uuid,
  p_currency text,
  p_product_ids uuid[],
  p_amounts bigint[],
  p_by_points bigint,
  p_tier text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_earned constant bigint := interlock.points_for(p_currency, p_product_ids, p_amounts, p_by_points, p_tier);
  v_tier text;
begin
  perform interlock.book_points(
    p_customer_id, 'earned', v_earned, (select coalesce(sum(a), 0) from unnest(p_amounts) as a)::bigint, p_sale_id
  );
  v_tier := interlock.settle_tier(p_customer_id);
  return jsonb_build_object(
    'earned', v_earned,
    'balance', (select a.balance from interlock.points_accounts a where a.customer_id = p_customer_id),
    'tier', v_tier,
    'tier_before', p_tier
  );
end
$$;
