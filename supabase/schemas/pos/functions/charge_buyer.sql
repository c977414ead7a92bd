-- Take what a customer pays with points and the wallet, or give them what is paid out in these, and book what the sale earns. p_amounts
-- are what its lines cost, tax in it; p_by_points is how much of that is paid with points, p_taken_back how many points went with what came back.
--
-- Callers: interlock.make_sale, after interlock.refuse_tenders or interlock.refuse_refund.
-- Locks: what interlock.lock_buyer holds.
-- Errors: VALIDATION_FAILED, INSUFFICIENT_POINTS, INSUFFICIENT_FUNDS, CURRENCY_MISMATCH.
create function interlock.charge_buyer(
  p_buyer interlock.buyer,
  p_sale_id uuid,
  p_root_sale_id uuid,
  p_currency text,
  p_tenders jsonb,
  p_total bigint,
  p_product_ids uuid[],
  p_amounts bigint[],
  p_by_points bigint,
  p_taken_back bigint
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_spent bigint := 0;
  v_given_back bigint := 0;
begin
  if p_total < 0 then
    if p_buyer.by_points > 0 then
      v_given_back := interlock.points_to_give_back(p_buyer.customer_id, p_root_sale_id, p_buyer.by_points);
      perform interlock.book_points(p_buyer.customer_id, 'given_back', v_given_back, p_sale_id => p_sale_id);
    end if;
    if p_buyer.by_wallet > 0 then
      perform interlock.credit_wallet(p_buyer.user_id, p_buyer.by_wallet, p_currency, 'pos_return', p_sale_id);
    end if;
  else
    if p_buyer.by_points > 0 then
      v_spent := interlock.spend_points(p_buyer, p_sale_id, p_currency, p_tenders);
    end if;
    if p_buyer.by_wallet > 0 then
      perform interlock.pay_from_wallet(
        interlock.lock_wallet(p_buyer.user_id), p_buyer.by_wallet, p_currency, 'pos_sale', p_sale_id
      );
    end if;
  end if;
  return interlock.earn_points(
    p_buyer.customer_id, p_sale_id, p_currency, p_product_ids, p_amounts, p_by_points, p_buyer.tier
  ) || jsonb_build_object('spent', v_spent, 'given_back', v_given_back, 'taken_back', p_taken_back);
end
$$;
