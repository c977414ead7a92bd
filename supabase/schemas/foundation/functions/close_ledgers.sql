-- Add what is older than interlock.settings.close_ledgers_after in the ledgers of stock and wallets to their closed
-- balances; answers how many movements, at most p_limit. Nothing is deleted: the views of differences read less.
--
-- A ledger is closed by ids, not by time: a movement has the time at which its transaction began, and may commit after
-- younger ones. Ids are given out under the lock of the wallet, the product or one of its slots; with these held every
-- movement up to the last that one sees is committed, and each that comes has a higher id.
--
-- A ledger whose first open movement is younger has its turn when that one is old enough.
--
-- It begins no further ledger when a tenth of a second has passed. Call it until it answers 0. The ledger of a product or
-- wallet that is gone stays open.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.close_ledgers.
-- Locks: wallets, then products, each in the order of their ids, never waiting (what somebody is using stays for the next
--   call); slots of a product, 50 ms each as a rule.
-- Errors: none of a ledger's own.
-- Security definer: nobody has the right to write balances.
create function interlock.close_ledgers(p_limit int default 1000)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 1000), 0);
  v_before constant timestamptz := interlock.clock() - (select s.close_ledgers_after from interlock.settings s);
  v_until constant timestamptz := clock_timestamp() + interval '100 milliseconds';
  v_owner_id uuid;
  v_from bigint;
  v_through bigint;
  v_count int;
  v_closed int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_owner_id in
    select w.user_id
    from interlock.wallets w
    left join interlock.wallet_balances b on b.user_id = w.user_id
    where (
      select m.created_at
      from interlock.wallet_movements m
      where m.user_id = w.user_id
        and m.id > coalesce(b.closed_through, 0)
      order by m.id
      limit 1
    ) < v_before
    order by w.user_id
  loop
    exit when v_closed >= v_limit or clock_timestamp() > v_until;

    perform 1 from interlock.wallets w where w.user_id = v_owner_id for no key update skip locked;
    continue when not found;

    v_from := coalesce((select b.closed_through from interlock.wallet_balances b where b.user_id = v_owner_id), 0);
    select max(c.id), max(c.count) into v_through, v_count
    from (
      select m.id, m.created_at, row_number() over (order by m.id) as count
      from interlock.wallet_movements m
      where m.user_id = v_owner_id
        and m.id > v_from
      order by m.id
      limit v_limit - v_closed
    ) c
    where c.created_at < v_before;
    continue when v_through is null;

    insert into interlock.wallet_balances as b (user_id, closed_through, balance)
    select v_owner_id, v_through, sum(m.delta)
    from interlock.wallet_movements m
    where m.user_id = v_owner_id
      and m.id > v_from
      and m.id <= v_through
    on conflict (user_id) do update
    set closed_through = excluded.closed_through,
        balance = b.balance + excluded.balance;

    v_closed := v_closed + v_count;
  end loop;

  for v_owner_id in
    select p.id
    from interlock.products p
    left join interlock.stock_balances b on b.product_id = p.id
    where (
      select m.created_at
      from interlock.stock_movements m
      where m.product_id = p.id
        and m.id > coalesce(b.closed_through, 0)
      order by m.id
      limit 1
    ) < v_before
    order by p.id
  loop
    exit when v_closed >= v_limit or clock_timestamp() > v_until;

    begin
      perform 1 from interlock.products p where p.id = v_owner_id for no key update skip locked;
      continue when not found;
      perform interlock.lock_slots(v_owner_id);
    exception
      when lock_not_available then
        continue;
    end;

    v_from := coalesce((select b.closed_through from interlock.stock_balances b where b.product_id = v_owner_id), 0);
    select max(c.id), max(c.count) into v_through, v_count
    from (
      select m.id, m.created_at, row_number() over (order by m.id) as count
      from interlock.stock_movements m
      where m.product_id = v_owner_id
        and m.id > v_from
      order by m.id
      limit v_limit - v_closed
    ) c
    where c.created_at < v_before;
    continue when v_through is null;

    insert into interlock.stock_balances as b (product_id, closed_through, quantity)
    select v_owner_id, v_through, sum(m.delta)
    from interlock.stock_movements m
    where m.product_id = v_owner_id
      and m.id > v_from
      and m.id <= v_through
    on conflict (product_id) do update
    set closed_through = excluded.closed_through,
        quantity = b.quantity + excluded.quantity;

    v_closed := v_closed + v_count;
  end loop;

  return v_closed;
end
$$;
