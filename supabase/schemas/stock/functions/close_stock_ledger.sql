-- Add what is older than p_before in the ledger of a product at a location to its closed balance; answers how many
-- movements, at most p_limit.
--
-- Callers: interlock.close_ledger, which holds the product and its slots, or the row of inventory.
-- Locks: the balance, which nobody else writes.
create function interlock.close_stock_ledger(p_product_id uuid, p_location_id uuid, p_before timestamptz, p_limit int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_from bigint;
  v_through bigint;
  v_count int;
begin
  select b.closed_through
  into v_from
  from interlock.stock_balances b
  where b.product_id = p_product_id
    and b.location_id = p_location_id;

  select max(c.id), max(c.count) into v_through, v_count
  from (
    select m.id, m.created_at, row_number() over (order by m.id) as count
    from interlock.stock_movements m
    where m.product_id = p_product_id
      and m.location_id = p_location_id
      and m.id > coalesce(v_from, 0)
    order by m.id
    limit p_limit
  ) c
  where c.created_at < p_before;

  insert into interlock.stock_balances as b (product_id, location_id, closed_through, quantity)
  select p_product_id, p_location_id, v_through, sum(m.delta)
  from interlock.stock_movements m
  where m.product_id = p_product_id
    and m.location_id = p_location_id
    and m.id > coalesce(v_from, 0)
    and m.id <= v_through
  having count(*) > 0
  on conflict on constraint stock_balances_pkey do update
  set closed_through = excluded.closed_through,
      quantity = b.quantity + excluded.quantity;
  return coalesce(v_count, 0);
end
$$;
