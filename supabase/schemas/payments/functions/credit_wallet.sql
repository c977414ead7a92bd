-- Add money to a wallet (negative amounts never come here), making it if needed.
--
-- Callers: interlock.top_up_wallet, interlock.move_wallet, interlock.charge_buyer, interlock.give_buyer_back, the release of orders.
-- Locks: the wallet's row, waiting. Errors: CURRENCY_MISMATCH; 55P03 after lock_timeout.
create function interlock.credit_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reason text,
  p_reference_id uuid,
  p_reference text default null
)
returns interlock.wallets
language plpgsql
set search_path = ''
as $$
declare
  v_wallet interlock.wallets;
begin
  perform interlock.set_ledger_context(p_reason, p_reference_id);
  perform set_config('interlock.reference', p_reference, true);

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.wallets as w (user_id, balance, currency)
  values (p_user_id, p_amount, p_currency)
  on conflict on constraint wallets_pkey do update
    set balance = w.balance + excluded.balance
    where w.currency = excluded.currency
  returning w.* into v_wallet;

  perform interlock.set_ledger_context(null, null);
  perform set_config('interlock.reference', null, true);

  if v_wallet.user_id is null then
    select w.* into v_wallet from interlock.wallets w where w.user_id = p_user_id;
    perform interlock.raise_error(
      'CURRENCY_MISMATCH',
      jsonb_build_object('currency', p_currency, 'wallet_currency', v_wallet.currency)
    );
  end if;

  return v_wallet;
end
$$;
