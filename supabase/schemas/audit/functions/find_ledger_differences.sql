-- Products of these whose ledger does not add up to their stock in the web shop, less what is owed. A ledger is its closed part and the
-- movements after that; what slots have sold is in it already.
--
-- One statement, so stock, slots and ledger are those of one moment, whoever sells meanwhile.
--
-- Callers: interlock.find_differences, interlock.correct_ledger.
-- Locks: none.
create function interlock.find_ledger_differences(p_product_ids uuid[])
returns table (product_id uuid, expected numeric, found numeric)
language sql
stable
set search_path = ''
as $$
  select d.id, d.ledger, d.stock
  from (
    select
      a.id,
      coalesce(b.quantity, 0) + coalesce((
        select sum(m.delta)
        from interlock.stock_movements m
        where m.product_id = a.id
          and m.location_id = interlock.online_location()
          and m.id > coalesce(b.closed_through, 0)
      ), 0) as ledger,
      coalesce(p.available_quantity - p.backordered, 0) - coalesce((
        select sum(s.used) from interlock.counter_slots s where s.owner_id = p.id and p.stock_slots > 0
      ), 0) as stock
    from unnest(p_product_ids) as a (id)
    left join interlock.products p on p.id = a.id
    left join interlock.stock_balances b on b.product_id = a.id and b.location_id = interlock.online_location()
  ) d
  where d.ledger <> d.stock
$$;
