-- What a promo code is worth on an amount: half a minor unit rounds up, and the discount is never more than the
-- amount.
--
-- Callers: interlock.evaluate_promo.
create function interlock.promo_discount(
  p_discount_type text,
  p_discount_value numeric,
  p_max_discount bigint,
  p_amount bigint
)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return least(
    case p_discount_type
      when 'percentage' then least(floor(p_amount * p_discount_value / 100 + 0.5), p_max_discount)
      else p_discount_value
    end,
    p_amount
  )::bigint;
end
$$;
