-- Take what a customer pays with points and the wallet, and book what the sale earns. p_amounts are what its lines cost, tax in it.
--
-- Callers: interlock.pos_sale.
-- Locks: what interlock.lock_buyer holds.
-- Errors: INSUFFICIENT_POINTS, INSUFFICIENT_FUNDS, CURRENCY_MISMATCH.
create function interlock.charge_buyer(
  p_buyer interlock.buyer,
  p_sale_id uuid,
  p_currency text,
  p_product_ids uuid[],
  p_amounts bigint[]
)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  if p_buyer.by_wallet > 0 then
    perform interlock.pay_from_wallet(
      interlock.lock_wallet(p_buyer.user_id), p_buyer.by_wallet, p_currency, 'pos_sale', p_sale_id
    );
  end if;
  return interlock.earn_points(
    p_buyer.customer_id, p_sale_id, p_currency, p_product_ids, p_amounts, p_buyer.by_points, coalesce(p_buyer.spent, 0)
  );
end
$$;
