-- What public.adjust_stock does, with its owner's rights: stock that came or went, said relatively, so that no sale
-- beside it is lost. With slots they are called in first, so that the answer is exact.
--
-- Callers: authenticated (staff) and service_role, through public.adjust_stock.
-- Locks: the reference, the product, its slots; two seconds at most for each.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, PRODUCT_NOT_FOUND,
--   INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED; 55P03 is transient.
-- Security definer: so that it may use the functions of this schema, and that staff may write stock.
create function interlock.adjust_stock(p_product_id uuid, p_delta int, p_reason text, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := interlock.find_adjustment_problems(p_product_id, p_reason);
  v_answer jsonb;
  v_available int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_delta is null or p_delta = 0 or abs(p_delta::bigint) > interlock.most_units() then
    v_problems := v_problems || interlock.problem(
      '/p_delta', format('must be an integer from -%1$s to %1$s, and not 0', interlock.most_units())
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'adjust_stock', p_reference, jsonb_build_array(p_product_id, p_delta, p_reason)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  v_available := interlock.lock_exact_stock(p_product_id);
  if v_available + p_delta < 0 then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', jsonb_build_array(
      jsonb_build_object('product_id', p_product_id, 'requested', -p_delta, 'available', v_available)
    )));
  end if;

  return interlock.finish_reference('adjust_stock', p_reference, interlock.move_stock(
    p_product_id, v_available, v_available + p_delta, coalesce(p_reason, 'adjustment')
  ));
end
$$;
