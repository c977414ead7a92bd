-- Lock a user's wallet; the one helper for this kind of lock.
--
-- Callers: interlock.checkout. Locks: the wallet's row, waiting, `no key`.
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
  select w.* into v_wallet from interlock.wallets w where w.user_id = p_user_id for no key update;
  return v_wallet;
end
$$;
