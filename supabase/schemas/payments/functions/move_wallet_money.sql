-- Give one user the money of another's wallet, as a movement in both ledgers. A wallet of another currency takes nothing, also
-- if there is nothing to take: what was paid from the one could not come back into the other.
--
-- Callers: interlock.move_guest, with both accounts locked.
-- Locks: both wallets by user, waiting.
-- Errors: CURRENCY_MISMATCH; 55P03 after lock_timeout. No money: an amount of 0, and the wallet's currency if there is one.
create function interlock.move_wallet_money(
  p_from_user_id uuid,
  p_to_user_id uuid,
  p_reference_id uuid,
  out o_amount bigint,
  out o_currency text
)
language plpgsql
set search_path = ''
as $$
declare
  v_from interlock.wallets;
  v_to_currency text;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1
  from interlock.wallets w
  where w.user_id in (p_from_user_id, p_to_user_id)
  order by w.user_id
  for no key update;
  select w.* into v_from from interlock.wallets w where w.user_id = p_from_user_id;
  select w.currency into v_to_currency from interlock.wallets w where w.user_id = p_to_user_id;

  if v_from.currency <> v_to_currency then
    perform interlock.raise_error(
      'CURRENCY_MISMATCH', jsonb_build_object('currency', v_from.currency, 'wallet_currency', v_to_currency)
    );
  end if;

  o_amount := coalesce(v_from.balance, 0);
  o_currency := v_from.currency;
  if o_amount > 0 then
    perform interlock.pay_from_wallet(v_from, o_amount, o_currency, 'moved', p_reference_id);
    perform interlock.credit_wallet(p_to_user_id, o_amount, o_currency, 'moved', p_reference_id);
  end if;
end
$$;
