-- What slots have sold since they were settled is in the ledger already, and not yet in the column.
create view interlock.stock_differences
with (security_invoker = true)
as
  select
    coalesce(p.id, m.product_id) as product_id,
    p.available_quantity,
    coalesce(m.ledger_quantity, 0) as ledger_quantity
  from (
    select q.id, (q.available_quantity - coalesce(s.used, 0))::int as available_quantity
    from interlock.products q
    left join (
      select c.owner_id, sum(c.used) as used from interlock.counter_slots c group by c.owner_id
    ) s on s.owner_id = q.id
  ) p
  full join (
    select s.product_id, sum(s.delta) as ledger_quantity
    from interlock.stock_movements s
    group by s.product_id
  ) m on m.product_id = p.id
  where coalesce(p.available_quantity, 0) <> coalesce(m.ledger_quantity, 0);

comment on view interlock.stock_differences is
  'Products whose ledger does not add up to their stock. Always empty; anything else is a bug.';

grant select on table interlock.stock_differences to service_role;
