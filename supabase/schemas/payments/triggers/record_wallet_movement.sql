-- Write the wallet ledger; refuse another owner for a wallet, and another currency for one that has a ledger: what it has
-- held was that currency, and so is what comes back into it.
--
-- Callers: trigger wallets_record_movement.
-- Locks: none beyond the rows it inserts; the wallet is locked by the statement.
-- Errors: 23514 check_violation with constraint name wallets_owner_fixed or wallets_currency_kept.
-- Security definer: nobody has insert on wallet_movements.
create function interlock.record_wallet_movement()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_reason constant text := nullif(current_setting('interlock.reason', true), '');
  v_reference_id constant uuid := nullif(current_setting('interlock.reference_id', true), '')::uuid;
  v_reference constant text := nullif(current_setting('interlock.reference', true), '');
  v_delta bigint;
begin
  if tg_op = 'INSERT' then
    v_delta := new.balance;
  else
    if new.user_id <> old.user_id then
      raise exception using
        errcode = 'check_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        constraint = 'wallets_owner_fixed',
        message = format('the owner of wallet %s cannot change', old.user_id);
    end if;
    if new.currency <> old.currency and (
      exists (select from interlock.wallet_movements m where m.user_id = old.user_id)
      or exists (select from interlock.wallet_balances b where b.user_id = old.user_id)
    ) then
      raise exception using
        errcode = 'check_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        constraint = 'wallets_currency_kept',
        message = format('the wallet of user %s has held %s and keeps its currency', old.user_id, old.currency),
        hint = 'Only a wallet that has never held anything takes another currency. Pay out what is in this one with debit_wallet.';
    end if;
    v_delta := new.balance - old.balance;
  end if;

  if v_delta <> 0 then
    insert into interlock.wallet_movements (user_id, delta, balance_after, currency, reason, reference_id, reference, actor)
    values (
      new.user_id,
      v_delta,
      new.balance,
      new.currency,
      coalesce(v_reason, case tg_op when 'INSERT' then 'opening' else 'correction' end),
      v_reference_id,
      v_reference,
      auth.uid()
    );
  end if;

  return null;
end
$$;
