-- Add what is older than interlock.settings.close_ledgers_after in the ledger of a wallet, a product (its stock in the web
-- shop) or a row of inventory to its closed balance; answers how many movements, at most p_limit.
--
-- A ledger is closed by ids, not by time: a movement has the time at which its transaction began, and may commit after
-- younger ones. Ids are given out under the lock of the wallet, the product or one of its slots, the row of inventory;
-- with these held every movement up to the last that one sees is committed, and each that comes has a higher id.
--
-- Callers: interlock.close_ledgers; the jobs of interlock.jobs, each ledger in a transaction of its own.
-- Locks: the wallet, the product or the row of inventory, never waiting (what somebody is using stays for the next call); slots of the product,
--   50 ms each.
-- Errors: none of a ledger's own.
create function interlock.close_ledger(p_owner_id uuid, p_limit int)
returns int
language plpgsql
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_before constant timestamptz := interlock.clock() - (select s.close_ledgers_after from interlock.settings s);
  v_from bigint;
  v_through bigint;
  v_count int;
  v_row interlock.inventory;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform 1 from interlock.wallets w where w.user_id = p_owner_id for no key update skip locked;
  if found then
    v_from := coalesce((select b.closed_through from interlock.wallet_balances b where b.user_id = p_owner_id), 0);
    select max(c.id), max(c.count) into v_through, v_count
    from (
      select m.id, m.created_at, row_number() over (order by m.id) as count
      from interlock.wallet_movements m
      where m.user_id = p_owner_id
        and m.id > v_from
      order by m.id
      limit p_limit
    ) c
    where c.created_at < v_before;

    insert into interlock.wallet_balances as b (user_id, closed_through, balance)
    select p_owner_id, v_through, sum(m.delta)
    from interlock.wallet_movements m
    where m.user_id = p_owner_id
      and m.id > v_from
      and m.id <= v_through
    having count(*) > 0
    on conflict on constraint wallet_balances_pkey do update
    set closed_through = excluded.closed_through,
        balance = b.balance + excluded.balance;
    return coalesce(v_count, 0);
  end if;

  begin
    perform 1 from interlock.products p where p.id = p_owner_id for no key update skip locked;
    if found then
      perform interlock.lock_slots(p_owner_id);
      return interlock.close_stock_ledger(p_owner_id, interlock.online_location(), v_before, p_limit);
    end if;
  exception
    when lock_not_available then
      return 0;
  end;

  select i.* into v_row from interlock.inventory i where i.id = p_owner_id for no key update skip locked;
  if not found then
    return 0;
  end if;
  return interlock.close_stock_ledger(v_row.product_id, v_row.location_id, v_before, p_limit);
end
$$;
