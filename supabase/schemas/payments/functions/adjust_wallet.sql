-- What public.adjust_wallet does, with its owner's rights: a movement that corrects a wallet, in either direction, with its
-- reason. Never below nothing, and once for each reference.
--
-- Callers: authenticated (staff) and service_role, through public.adjust_wallet.
-- Locks: as interlock.move_wallet, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, USER_NOT_FOUND, INSUFFICIENT_FUNDS,
--   CURRENCY_MISMATCH; 55P03 is transient.
-- Security definer: nobody has the right to write wallets.
create function interlock.adjust_wallet(
  p_user_id uuid,
  p_delta bigint,
  p_currency text,
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
  v_problems jsonb := '[]'::jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_delta is null or p_delta = 0 or p_delta not between -1000000000000 and 1000000000000 then
    v_problems := interlock.problem(
      '/p_delta', 'must be an integer from -1000000000000 to 1000000000000, and not 0'
    );
  end if;
  if p_reason is null then
    v_problems := v_problems || interlock.problem('/p_reason', 'is required');
  end if;
  return interlock.move_wallet('adjust_wallet', p_user_id, p_delta, p_currency, p_reason, p_reference, v_problems);
end
$$;
