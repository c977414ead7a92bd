-- Where a product has movements: from each location to the next in the index, so that none of them is read.
--
-- Callers: interlock.find_ledger_differences.
-- Locks: none.
create function interlock.ledger_locations(p_product_id uuid)
returns setof uuid
language sql
stable
set search_path = ''
as $$
  with recursive found (location_id) as (
    (
      select m.location_id
      from interlock.stock_movements m
      where m.product_id = p_product_id
      order by m.location_id
      limit 1
    )
    union all
    select n.location_id
    from found f
    cross join lateral (
      select m.location_id
      from interlock.stock_movements m
      where m.product_id = p_product_id
        and m.location_id > f.location_id
      order by m.location_id
      limit 1
    ) n
  )
  select f.location_id from found f
$$;
