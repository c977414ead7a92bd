-- Take money out of the wallet that interlock.lock_wallet has locked.
--
-- Callers: interlock.checkout, interlock.retake_order, interlock.move_wallet, interlock.move_wallet_money,
--   interlock.charge_buyer, interlock.give_buyer_back.
-- Locks: the wallet's row, held already.
-- Errors: INSUFFICIENT_FUNDS (no wallet counts as an empty one), CURRENCY_MISMATCH.
create function interlock.pay_from_wallet(
  p_wallet interlock.wallets,
  p_amount bigint,
  p_currency text,
  p_reason text,
  p_reference_id uuid
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_amount = 0 then
    return;
  end if;

  if p_wallet.currency <> p_currency then
    perform interlock.raise_error(
      'CURRENCY_MISMATCH',
      jsonb_build_object('currency', p_currency, 'wallet_currency', p_wallet.currency)
    );
  end if;

  if coalesce(p_wallet.balance, 0) < p_amount then
    perform interlock.raise_error(
      'INSUFFICIENT_FUNDS',
      jsonb_build_object('balance', coalesce(p_wallet.balance, 0), 'amount', p_amount, 'currency', p_currency)
    );
  end if;

  perform interlock.set_ledger_context(p_reason, p_reference_id);

  update interlock.wallets w
  set balance = w.balance - p_amount
  where w.user_id = p_wallet.user_id;

  perform interlock.set_ledger_context(null, null);
end
$$;
