-- What slots have sold since they were settled is in the ledger already, and not yet in the column; what is owed is taken
-- off what is there.
--
-- A ledger is its closed part (stock_balances) and the movements after that. Which products have a ledger is found by
-- going from each to the next in the index, so that no closed movement is read; of some nothing is left but the balance.
create view interlock.stock_differences
with (security_invoker = true)
as
  with recursive owners (product_id) as (
    (select m.product_id from interlock.stock_movements m order by m.product_id limit 1)
    union all
    select (
      select m.product_id
      from interlock.stock_movements m
      where m.product_id > o.product_id
      order by m.product_id
      limit 1
    )
    from owners o
    where o.product_id is not null
  ),
  ledgers as (
    select
      o.product_id,
      coalesce(b.quantity, 0) + coalesce((
        select sum(m.delta)
        from interlock.stock_movements m
        where m.product_id = o.product_id
          and m.id > coalesce(b.closed_through, 0)
      ), 0) as ledger_quantity
    from (
      select w.product_id from owners w where w.product_id is not null
      union
      select c.product_id from interlock.stock_balances c
    ) o
    left join interlock.stock_balances b on b.product_id = o.product_id
  )
  select
    coalesce(p.id, m.product_id) as product_id,
    p.available_quantity,
    coalesce(m.ledger_quantity, 0) as ledger_quantity
  from (
    select q.id, (q.available_quantity - q.backordered - coalesce(s.used, 0))::int as available_quantity
    from interlock.products q
    left join (
      select c.owner_id, sum(c.used) as used from interlock.counter_slots c group by c.owner_id
    ) s on s.owner_id = q.id
  ) p
  full join ledgers m on m.product_id = p.id
  where coalesce(p.available_quantity, 0) <> coalesce(m.ledger_quantity, 0);

comment on view interlock.stock_differences is
  'Products whose ledger does not add up to their stock. Always empty; anything else is a bug.';

grant select on table interlock.stock_differences to service_role;
