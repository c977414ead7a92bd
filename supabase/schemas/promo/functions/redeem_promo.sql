-- Redeem a code for an order: the hold of this cart if there is one, else a use taken now. Returns what it takes off
-- each line, in minor units, in the order of the lines; their sum is the discount.
--
-- Callers: interlock.checkout, once in its transaction, before product codes and stock. The order need not be
--   written yet. p_lines: [{"product_id", "quantity", "unit_price"}], duplicates summed, priced from the
--   database.
-- Locks: first-order lock if the code asks for it, then as interlock.take_promo_use.
-- Errors: PROMO_NOT_FOUND, PROMO_NOT_APPLICABLE, PROMO_NOT_STARTED, PROMO_EXPIRED, PROMO_ALREADY_APPLIED,
--   PROMO_EXHAUSTED, PROMO_CHANGED; 55P03 after lock_timeout.
create function interlock.redeem_promo(
  p_user_id uuid,
  p_code text,
  p_cart_id uuid,
  p_order_id uuid,
  p_currency text,
  p_lines jsonb
)
returns bigint[]
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_promo interlock.promo_codes;
  v_verdict record;
begin
  v_promo := interlock.find_promo(p_code, p_user_id);
  if v_promo.id is null then
    perform interlock.raise_error('PROMO_NOT_FOUND');
  end if;

  if v_promo.first_order_only then
    perform interlock.lock_first_order(p_user_id);
  end if;

  v_verdict := interlock.evaluate_promo(v_promo, p_user_id, p_order_id, p_currency, p_lines, null);
  if v_verdict.o_refusal is not null then
    perform interlock.raise_error(v_verdict.o_refusal, v_verdict.o_detail);
  end if;

  perform interlock.take_promo_use(
    v_promo.id, p_user_id, p_cart_id, p_order_id, v_verdict.o_discount, p_currency, null
  );

  return interlock.split_discount(v_verdict.o_discount, v_verdict.o_amounts);
end
$$;
