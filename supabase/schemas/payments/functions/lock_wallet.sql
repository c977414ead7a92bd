-- Lock a user's wallet; the one helper for this kind of lock. The account comes first, because whoever pays from the
-- wallet then writes an order that refers to it (interlock.lock_user).
--
-- Callers: interlock.checkout, interlock.retake_order, interlock.move_wallet, interlock.lock_buyer, interlock.charge_buyer,
--   interlock.give_buyer_back. Locks: the account, the wallet's row, waiting, `no key`.
-- Errors: 55P03 after lock_timeout. A row of nulls if the user has none.
create function interlock.lock_wallet(p_user_id uuid)
returns interlock.wallets
language plpgsql
set search_path = ''
as $$
declare
  v_wallet interlock.wallets;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  -- Two statements: in one the table of the view would be locked last.
  perform 1 from interlock.accounts u where u.id = p_user_id for key share;
  select w.* into v_wallet from interlock.wallets w where w.user_id = p_user_id for no key update;
  return v_wallet;
end
$$;
