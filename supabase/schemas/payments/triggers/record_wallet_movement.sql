-- Write the wallet ledger; refuse another owner or currency for a wallet.
--
-- Callers: trigger wallets_record_movement.
-- Locks: none beyond the rows it inserts; the wallet is locked by the statement.
-- Errors: 23514 check_violation with constraint name wallets_identity_fixed.
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
    if (new.user_id, new.currency) is distinct from (old.user_id, old.currency) then
      raise exception using
        errcode = 'check_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        constraint = 'wallets_identity_fixed',
        message = format('owner and currency of wallet %s cannot change', old.user_id);
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
