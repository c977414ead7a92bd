-- Products of these whose ledger at a location does not add up to their stock there, less what is owed. A ledger is its closed
-- part and the movements after that; what slots have sold is in it already.
--
-- One statement, so stock, slots and ledger are those of one moment, whoever sells meanwhile. Where a product has stock, a
-- closed part or a movement is where it has a ledger.
--
-- Callers: interlock.find_differences, interlock.correct_ledger.
-- Locks: none.
-- Not compiled (jit): its steps are expected to give far more than they do, and on Postgres 15 compiling took seconds.
create function interlock.find_ledger_differences(p_product_ids uuid[])
returns table (product_id uuid, location_id uuid, expected numeric, found numeric)
language sql
stable
set search_path = ''
set jit = off
as $$
  select d.id, d.location_id, trim_scale(d.ledger), trim_scale(d.stock)
  from (
    select
      a.id,
      w.location_id,
      coalesce(b.quantity, 0) + coalesce((
        select sum(m.delta)
        from interlock.stock_movements m
        where m.product_id = a.id
          and m.location_id = w.location_id
          and m.id > case when b.closed_through is null then 0 else b.closed_through end
      ), 0) as ledger,
      case
        when w.location_id = interlock.online_location() then coalesce(p.available_quantity - p.backordered, 0) - coalesce((
          select sum(s.used) from interlock.counter_slots s where s.owner_id = p.id and p.stock_slots > 0
        ), 0)
        else coalesce((
          select i.quantity from interlock.inventory i where i.product_id = a.id and i.location_id = w.location_id
        ), 0)
      end as stock
    from unnest(p_product_ids) as a (id)
    cross join lateral (
      select interlock.online_location() as location_id
      union
      select i.location_id from interlock.inventory i where i.product_id = a.id
      union
      select c.location_id from interlock.stock_balances c where c.product_id = a.id
      union
      select l.location_id from interlock.ledger_locations(a.id) as l (location_id)
    ) w
    left join interlock.products p on p.id = a.id
    left join interlock.stock_balances b on b.product_id = a.id and b.location_id = w.location_id
  ) d
  where d.ledger <> d.stock
$$;
