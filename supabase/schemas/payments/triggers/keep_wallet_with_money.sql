-- Keep a wallet that has money in it, also if its account is being deleted: nobody else would know whose it was.
--
-- Callers: trigger wallets_keep_money.
-- Locks: none beyond the row being deleted.
-- Errors: 23001 restrict_violation.
create function interlock.keep_wallet_with_money()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'restrict_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = 'wallets_keep_money',
    message = format('the wallet of user %s holds %s %s', old.user_id, old.balance, old.currency),
    hint = 'Pay it out with debit_wallet first. erase_user(id) lists all that stands in the way of a removal.';
end
$$;
