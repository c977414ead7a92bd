-- What has come to a product's stock at a location since a moment, less what went.
--
-- A movement has the time at which its transaction began, and its id from when it was written. So the ledger is read from
-- its end to the first movement that is an hour older: none before that one is younger, unless a transaction lasted that
-- long.
--
-- Callers: interlock.plan_inventory, which holds the stock.
-- Locks: none.
create function interlock.moved_since(p_product_id uuid, p_location_id uuid, p_since timestamptz)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
declare
  v_movement record;
  v_moved numeric := 0;
begin
  for v_movement in
    select m.delta, m.created_at
    from interlock.stock_movements m
    where m.product_id = p_product_id
      and m.location_id = p_location_id
    order by m.id desc
  loop
    exit when v_movement.created_at < p_since - interval '1 hour';
    if v_movement.created_at > p_since then
      v_moved := v_moved + v_movement.delta;
    end if;
  end loop;
  return v_moved;
end
$$;
