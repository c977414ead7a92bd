-- Lock the stock of these lines, each once, and answer what it is: inventory_id, product_id, location_id, quantity (less
-- what is owed), owed (of the web shop), version, first_line. Where there is no row one is made, whose version reads 0. Slots are called in; interlock.write_inventory shares them out again.
--
-- Callers: interlock.change_inventory, interlock.transfer_inventory, interlock.receive_transfer, interlock.cancel_transfer,
--   interlock.correct_transfer, interlock.correct_shortfall, interlock.correct_till_sale, interlock.take_packed_stock.
-- Locks: new rows in the order of product and location; rows of inventory by id; products by id, then their slots.
-- Errors: 55P03 if something was deleted meanwhile, and after lock_timeout.
create function interlock.lock_inventory(p_lines jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_made uuid[];
  v_products uuid[];
  v_stock jsonb;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  if p_lines @? '$[*] ? (!exists(@.inventory_id) || @.inventory_id == null)' then
    with made as (
      insert into interlock.inventory (product_id, location_id)
      select distinct l.product_id, l.location_id
      from jsonb_to_recordset(p_lines) as l (inventory_id uuid, product_id uuid, location_id uuid)
      where l.inventory_id is null
      order by l.product_id, l.location_id
      on conflict do nothing
      returning id
    )
    select array_agg(m.id) into v_made from made m;
  end if;

  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.inventory i
  where (i.product_id, i.location_id) in (
    select l.product_id, l.location_id
    from jsonb_to_recordset(p_lines) as l (product_id uuid, location_id uuid)
  )
  order by i.id
  for no key update;

  if p_lines @> jsonb_build_array(jsonb_build_object('location_id', interlock.online_location())) then
    v_products := array(
      select distinct l.product_id
      from jsonb_to_recordset(p_lines) as l (product_id uuid, location_id uuid)
      where l.location_id = interlock.online_location()
      order by l.product_id
    );
    perform interlock.lock_stock(v_products);
    perform interlock.settle_stock(u.id) from unnest(v_products) with ordinality as u (id, n) order by u.n;
  end if;

  select jsonb_agg(
    jsonb_build_object(
      'inventory_id', coalesce(i.id, p.id),
      'product_id', l.product_id,
      'location_id', l.location_id,
      'quantity', coalesce(trim_scale(i.quantity), p.available_quantity - p.backordered),
      'owed', coalesce(p.backordered, 0),
      'made', coalesce(i.id = any (v_made), false),
      'version', case
        when i.id = any (v_made) then 0
        else coalesce(i.version::bigint, interlock.stock_version(p.id))
      end,
      'first_line', l.first_line
    )
    order by l.first_line
  )
  into v_stock
  from (
    select r.product_id, r.location_id, min(r.line) as first_line
    from jsonb_to_recordset(p_lines) as r (line int, product_id uuid, location_id uuid)
    group by r.product_id, r.location_id
  ) l
  left join interlock.inventory i on i.product_id = l.product_id and i.location_id = l.location_id
  left join interlock.products p on p.id = l.product_id and l.location_id = interlock.online_location();

  if v_stock @> '[{"inventory_id": null}]' then
    perform interlock.raise_product_changed();
  end if;
  return v_stock;
end
$$;
