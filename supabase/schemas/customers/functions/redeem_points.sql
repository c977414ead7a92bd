-- What public.redeem_points does, with its owner's rights: turn points of the signed-in customer into money of their wallet, at what
-- points_values says. That is how points pay in the web shop.
--
-- Callers: authenticated, through public.redeem_points.
-- Locks: idempotency key; the account; as interlock.lock_points; the wallet. Two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, CUSTOMER_NOT_FOUND (nobody has linked the account),
--   INSUFFICIENT_POINTS, CURRENCY_MISMATCH; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: nobody has the right to write points or wallets.
create function interlock.redeem_points(p_points bigint, p_currency text, p_idempotency_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_user_id uuid;
  v_problems jsonb := jsonb '[]';
  v_value bigint;
  v_id uuid;
  v_answer text;
  v_wallet interlock.wallets;
  v_account interlock.points_accounts;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  v_user_id := interlock.require_user();
  if (p_points between 1 and 1000000000) is not true then
    v_problems := v_problems || interlock.problem('/p_points', 'must be an integer from 1 to 1000000000');
  end if;
  select v.value into v_value from interlock.points_values v where v.currency = p_currency;
  if v_value is null then
    v_problems := v_problems || interlock.problem('/p_currency', 'must be a currency in which points are worth something');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_idempotent(
    'redeem_points', p_idempotency_key, jsonb_build_object('points', p_points, 'currency', p_currency)
  );
  if v_answer is not null then
    return v_answer::jsonb;
  end if;

  perform interlock.lock_user(v_user_id);
  select c.id into v_id from interlock.customers c where c.user_id = v_user_id;
  if v_id is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;
  v_account := interlock.lock_points(v_id);
  v_id := v_account.customer_id;
  if v_account.balance < p_points then
    perform interlock.raise_error('INSUFFICIENT_POINTS', jsonb_build_object('balance', v_account.balance, 'requested', p_points));
  end if;
  perform interlock.book_points(v_id, 'spent', -p_points, p_reason => 'wallet');
  v_wallet := interlock.credit_wallet(v_user_id, p_points * v_value, p_currency, 'points', null);

  v_answer := jsonb_build_object(
    'success', true,
    'points', p_points,
    'points_left', v_account.balance - p_points,
    'amount', p_points * v_value,
    'balance', v_wallet.balance,
    'currency', p_currency
  )::text;
  perform interlock.finish_idempotent('redeem_points', p_idempotency_key, v_answer);
  return v_answer::jsonb;
end
$$;
