-- What public.debit_wallet does, with its owner's rights: money leaves a wallet, because it was paid out or used in another
-- place. Never more than there is, and once for each reference.
--
-- Callers: authenticated (staff) and service_role, through public.debit_wallet.
-- Locks: as interlock.move_wallet, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, USER_NOT_FOUND, INSUFFICIENT_FUNDS,
--   CURRENCY_MISMATCH; 55P03 is transient.
-- Security definer: nobody has the right to write wallets.
create function interlock.debit_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reference text,
  p_reason text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  return interlock.move_wallet(
    'debit_wallet', p_user_id, -p_amount, p_currency, coalesce(p_reason, 'debit'), p_reference,
    case
      when p_amount between 1 and 1000000000000 then '[]'
      else interlock.problem('/p_amount', 'must be an integer from 1 to 1000000000000')
    end
  );
end
$$;
