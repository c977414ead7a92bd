-- Take the points that pay for a sale, at what a point is worth. Answers how many they are.
--
-- Callers: interlock.charge_buyer, interlock.find_sale_refusals.
-- Locks: what interlock.lock_buyer holds.
-- Errors: VALIDATION_FAILED for an amount that is not one of whole points, INSUFFICIENT_POINTS.
create function interlock.spend_points(p_buyer interlock.buyer, p_sale_id uuid, p_currency text, p_tenders jsonb)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_value constant bigint := (select v.value from interlock.points_values v where v.currency = p_currency);
  v_spent constant bigint := p_buyer.by_points / v_value;
  v_balance constant bigint := (select a.balance from interlock.points_accounts a where a.customer_id = p_buyer.customer_id);
begin
  perform interlock.refuse_problems((
    select coalesce(jsonb_agg(jsonb_build_object(
      'pointer', format('/tenders/%s/amount', t.n - 1),
      'message', case
        when v_value is null then format('points pay nothing in %s', p_currency)
        else format('must be a multiple of %s, which is what a point is worth', v_value)
      end
    )), '[]')
    from rows from (jsonb_to_recordset(p_tenders) as (type text, amount bigint)) with ordinality as t (type, amount, n)
    where t.type = 'points'
      and (t.amount % v_value = 0) is not true
  ));
  if v_balance < v_spent then
    perform interlock.raise_error('INSUFFICIENT_POINTS', jsonb_build_object('balance', v_balance, 'requested', v_spent));
  end if;
  perform interlock.book_points(p_buyer.customer_id, 'spent', -v_spent, p_sale_id => p_sale_id);
  return v_spent;
end
$$;
