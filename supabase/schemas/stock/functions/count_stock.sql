-- What public.count_stock does, with its owner's rights: the stock that somebody has counted, if it is what it was
-- when they counted. A sale meanwhile is not overwritten: the count is refused with what there is now.
--
-- Callers: authenticated (staff) and service_role, through public.count_stock.
-- Locks: the reference, the product, its slots; two seconds at most for each.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, PRODUCT_NOT_FOUND, STOCK_CHANGED;
--   55P03 is transient.
-- Security definer: so that it may use the functions of this schema, and that staff may write stock.
create function interlock.count_stock(
  p_product_id uuid,
  p_counted int,
  p_expected int,
  p_reason text,
  p_reference text
)
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

  if p_counted is null or p_counted not between 0 and interlock.most_units() then
    v_problems := v_problems || interlock.problem(
      '/p_counted', format('must be an integer from 0 to %s', interlock.most_units())
    );
  end if;
  if p_expected is null then
    v_problems := v_problems || interlock.problem(
      '/p_expected', 'is required: the stock that get_stock gave when it was counted'
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'count_stock', p_reference, jsonb_build_array(p_product_id, p_counted, p_expected, p_reason)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  v_available := interlock.lock_exact_stock(p_product_id);
  if v_available <> p_expected then
    perform interlock.raise_error('STOCK_CHANGED', jsonb_build_object(
      'product_id', p_product_id, 'expected', p_expected, 'available', v_available
    ));
  end if;

  return interlock.finish_reference('count_stock', p_reference, interlock.move_stock(
    p_product_id, v_available, p_counted, coalesce(p_reason, 'count')
  ));
end
$$;
