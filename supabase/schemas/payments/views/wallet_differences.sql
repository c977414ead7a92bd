-- A ledger is its closed part (wallet_balances) and the movements after that. Which wallets have a ledger is found by
-- going from each to the next in the index, so that no closed movement is read; of some nothing is left but the balance.
create view interlock.wallet_differences
with (security_invoker = true)
as
  with recursive owners (user_id) as (
    (select m.user_id from interlock.wallet_movements m order by m.user_id limit 1)
    union all
    select (
      select m.user_id
      from interlock.wallet_movements m
      where m.user_id > o.user_id
      order by m.user_id
      limit 1
    )
    from owners o
    where o.user_id is not null
  ),
  ledgers as (
    select
      o.user_id,
      coalesce(b.balance, 0) + coalesce((
        select sum(m.delta)
        from interlock.wallet_movements m
        where m.user_id = o.user_id
          and m.id > case when b.closed_through is null then 0 else b.closed_through end
      ), 0) as ledger_balance
    from (
      select w.user_id from owners w where w.user_id is not null
      union
      select c.user_id from interlock.wallet_balances c
    ) o
    left join interlock.wallet_balances b on b.user_id = o.user_id
  )
  select
    coalesce(w.user_id, m.user_id) as user_id,
    w.balance,
    coalesce(m.ledger_balance, 0) as ledger_balance
  from interlock.wallets w
  full join ledgers m on m.user_id = w.user_id
  where coalesce(w.balance, 0) <> coalesce(m.ledger_balance, 0);

comment on view interlock.wallet_differences is
  'Wallets whose ledger does not add up to their balance. Always empty; anything else is a bug.';

grant select on table interlock.wallet_differences to service_role;
