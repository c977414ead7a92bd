-- Take goods back at a till: with a receipt so much of lines of one sale, each unit for its share of what its line had cost; without
-- one at the present price. What comes back of a line is counted there, so the last unit comes back once; parts always sum to what the line
-- had cost, in whatever order they come and are voided. Answers the rows of sale_returns, which the caller writes, and of
-- what is paid out the sale that limits it, and the customer who had bought it, if they are known.
--
-- Callers: interlock.make_sale, interlock.find_sale_refusals, with entries in which interlock.find_sale_problems has found no problem.
-- Locks: the sale and the one with which it began, by id.
-- Errors: RETURN_NOT_ALLOWED, SALE_NOT_FOUND, SALE_VOIDED, MIXED_CURRENCIES, VALIDATION_FAILED, RETURN_EXCEEDS_SOLD; without a receipt
--   BARCODE_NOT_FOUND, INVENTORY_NOT_FOUND, PRODUCT_NOT_FOUND, STOCK_ELSEWHERE; 55P03 after lock_timeout.
create function interlock.take_returns(
  p_returns jsonb,
  p_sale_id uuid,
  p_register interlock.registers,
  p_without_receipt boolean,
  out o_returns interlock.sale_returns[],
  out o_root_sale_id uuid,
  out o_customer_id uuid
)
language plpgsql
set search_path = ''
as $$
declare
  v_original_id constant uuid := (p_returns #>> '{0,sale_id}')::uuid;
begin
  if v_original_id is not null then
    select r.o_returns, r.o_root_sale_id, r.o_customer_id
    into o_returns, o_root_sale_id, o_customer_id
    from interlock.take_receipted_returns(p_returns, v_original_id, p_sale_id, p_register) r;
  elsif p_without_receipt then
    o_returns := interlock.price_returns(p_returns, p_sale_id, p_register);
  else
    perform interlock.raise_error('RETURN_NOT_ALLOWED');
  end if;
end
$$;
