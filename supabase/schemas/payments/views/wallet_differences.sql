create view interlock.wallet_differences
with (security_invoker = true)
as
  select
    coalesce(w.user_id, m.user_id) as user_id,
    w.balance,
    coalesce(m.ledger_balance, 0) as ledger_balance
  from interlock.wallets w
  full join (
    select s.user_id, sum(s.delta) as ledger_balance
    from interlock.wallet_movements s
    group by s.user_id
  ) m on m.user_id = w.user_id
  where coalesce(w.balance, 0) <> coalesce(m.ledger_balance, 0);

comment on view interlock.wallet_differences is
  'Wallets whose ledger does not add up to their balance. Always empty; anything else is a bug.';

grant select on table interlock.wallet_differences to service_role;
