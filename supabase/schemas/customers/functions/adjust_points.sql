-- What public.adjust_points does, with its owner's rights: correct the points of a customer, by p_delta or to p_balance (which is how
-- ours follow somebody who keeps them outside), once for each reference. Never below nothing.
--
-- Callers: authenticated (managers, staff) and service_role, through public.adjust_points.
-- Locks: the reference; as interlock.lock_points. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, CUSTOMER_NOT_FOUND, INSUFFICIENT_POINTS; 55P03 is
--   transient.
-- Security definer: nobody has the right to write points.
create function interlock.adjust_points(p_customer_id uuid, p_reason text, p_reference text, p_delta bigint, p_balance bigint)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_id uuid;
  v_answer jsonb;
  v_account interlock.points_accounts;
  v_delta bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if interlock.require_till() <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;
  if p_customer_id is null then
    v_problems := v_problems || interlock.problem('/p_customer_id', 'is required');
  end if;
  if num_nonnulls(p_delta, p_balance) <> 1 then
    v_problems := v_problems || interlock.problem('/p_delta', 'is required, or else p_balance');
  end if;
  if p_delta = 0 or p_delta not between -1000000000000 and 1000000000000 then
    v_problems := v_problems || interlock.problem('/p_delta', 'must be an integer from -1000000000000 to 1000000000000, and not 0');
  end if;
  if p_balance not between 0 and 1000000000000 then
    v_problems := v_problems || interlock.problem('/p_balance', 'must be an integer from 0 to 1000000000000');
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must be 1 to 200 characters, without control characters');
  end if;
  if p_reference is null then
    v_problems := v_problems || interlock.problem('/p_reference', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'adjust_points', p_reference, jsonb_build_array(p_customer_id, p_delta, p_balance, p_reason)
  );
  if v_answer is not null then
    return v_answer;
  end if;
  v_id := interlock.live_customer(p_customer_id);
  if v_id is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;

  v_account := interlock.lock_points(v_id);
  v_id := v_account.customer_id;
  v_delta := coalesce(p_delta, p_balance - v_account.balance);
  if v_account.balance + v_delta < 0 then
    perform interlock.raise_error('INSUFFICIENT_POINTS', jsonb_build_object('balance', v_account.balance, 'requested', -v_delta));
  end if;
  perform interlock.book_points(v_id, 'adjusted', v_delta, p_reason => p_reason);
  return interlock.finish_reference('adjust_points', p_reference, jsonb_build_object(
    'success', true, 'customer', interlock.customer_to_json(v_id)
  ));
end
$$;
