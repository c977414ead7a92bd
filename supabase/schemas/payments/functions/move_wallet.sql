-- What public.debit_wallet and public.adjust_wallet have in common: money that staff or the shop put into a wallet
-- (p_delta above 0) or take out of it, never below nothing and once for each reference. Who did it, why and under which
-- reference stands in the ledger. p_problems are what is wrong with the arguments that the two do not share.
--
-- Callers: interlock.debit_wallet, interlock.adjust_wallet.
-- Locks: the reference; the account; the wallet's row.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, USER_NOT_FOUND, INSUFFICIENT_FUNDS,
--   CURRENCY_MISMATCH; 55P03 is transient.
create function interlock.move_wallet(
  p_operation text,
  p_user_id uuid,
  p_delta bigint,
  p_currency text,
  p_reason text,
  p_reference text,
  p_problems jsonb
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_problems jsonb := p_problems;
  v_answer jsonb;
  v_wallet interlock.wallets;
begin
  perform interlock.refuse_unless_shop();

  if p_user_id is null then
    v_problems := v_problems || interlock.problem('/p_user_id', 'is required');
  end if;
  if p_currency is null or p_currency !~ '^[A-Z]{3}$' then
    v_problems := v_problems || interlock.problem('/p_currency', 'must be three capital letters');
  end if;
  if char_length(p_reason) not between 1 and 100 then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 100 characters');
  end if;
  if p_reference is null then
    v_problems := v_problems || interlock.problem('/p_reference', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    p_operation, p_reference, jsonb_build_array(p_user_id, p_delta, p_currency, p_reason)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  if not interlock.lock_user(p_user_id) then
    perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_user_id));
  end if;
  if p_delta > 0 then
    v_wallet := interlock.credit_wallet(p_user_id, p_delta, p_currency, p_reason, null, p_reference);
  else
    v_wallet := interlock.lock_wallet(p_user_id);
    perform interlock.pay_from_wallet(v_wallet, -p_delta, p_currency, p_reason, null);
    v_wallet.balance := v_wallet.balance + p_delta;
  end if;

  return interlock.finish_reference(p_operation, p_reference, jsonb_build_object(
    'success', true,
    'user_id', p_user_id,
    'balance', v_wallet.balance,
    'currency', v_wallet.currency
  ));
end
$$;
