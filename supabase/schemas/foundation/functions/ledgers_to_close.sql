-- Wallets, products and rows of inventory whose first open movement is older than interlock.settings.close_ledgers_after,
-- in this order, each in that of their ids.
--
-- Callers: interlock.close_ledgers, the jobs of interlock.jobs.
-- Locks: none.
create function interlock.ledgers_to_close()
returns setof uuid
language sql
stable
set search_path = ''
as $$
  (
    select w.user_id
    from interlock.settings s
    cross join interlock.wallets w
    left join interlock.wallet_balances b on b.user_id = w.user_id
    where (
      select m.created_at
      from interlock.wallet_movements m
      where m.user_id = w.user_id
        and m.id > case when b.closed_through is null then 0 else b.closed_through end
      order by m.id
      limit 1
    ) < interlock.clock() - s.close_ledgers_after
    order by w.user_id
  )
  union all
  (
    select p.id
    from interlock.settings s
    cross join interlock.products p
    left join interlock.stock_balances b on b.product_id = p.id and b.location_id = interlock.online_location()
    where (
      select m.created_at
      from interlock.stock_movements m
      where m.product_id = p.id
        and m.location_id = interlock.online_location()
        and m.id > case when b.closed_through is null then 0 else b.closed_through end
      order by m.id
      limit 1
    ) < interlock.clock() - s.close_ledgers_after
    order by p.id
  )
  union all
  (
    select i.id
    from interlock.settings s
    cross join interlock.inventory i
    left join interlock.stock_balances b on b.product_id = i.product_id and b.location_id = i.location_id
    where (
      select m.created_at
      from interlock.stock_movements m
      where m.product_id = i.product_id
        and m.location_id = i.location_id
        and m.id > case when b.closed_through is null then 0 else b.closed_through end
      order by m.id
      limit 1
    ) < interlock.clock() - s.close_ledgers_after
    order by i.id
  )
$$;
