-- Change stock that is locked by so much: of each stock the sum of what these lines say (product_id, location_id, change).
-- What finds no room is refused.
--
-- Callers: interlock.transfer_inventory, interlock.receive_transfer, interlock.cancel_transfer, interlock.correct_transfer,
--   interlock.correct_shortfall, interlock.correct_till_sale, interlock.take_packed_stock; after interlock.lock_inventory; who takes has looked at what there is.
-- Locks: held already.
-- Errors: STOCK_LIMIT_EXCEEDED.
create function interlock.move_quantities(p_lines jsonb, p_reason text, p_reference_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_planned record;
begin
  with planned as (
    select
      w.product_id, w.location_id, w.change,
      coalesce(i.id, p.id) as inventory_id,
      coalesce(i.quantity, p.available_quantity - p.backordered) as quantity,
      coalesce(p.backordered, 0) as owed,
      case when p.id is null then 99999999999.999 else interlock.most_units() end as most
    from (
      select l.product_id, l.location_id, sum(l.change) as change
      from jsonb_to_recordset(p_lines) as l (product_id uuid, location_id uuid, change numeric)
      group by l.product_id, l.location_id
    ) w
    left join interlock.inventory i on i.product_id = w.product_id and i.location_id = w.location_id
    left join interlock.products p on p.id = w.product_id and w.location_id = interlock.online_location()
  )
  select
    jsonb_agg(distinct p.product_id) filter (where p.quantity + p.owed + p.change > p.most) as full_products,
    min(p.most) filter (where p.quantity + p.owed + p.change > p.most) as most,
    jsonb_agg(jsonb_build_object(
      'inventory_id', p.inventory_id,
      'product_id', p.product_id,
      'location_id', p.location_id,
      'quantity', p.quantity,
      'owed', p.owed,
      'target', p.quantity + p.change
    )) as stock
  into v_planned
  from planned p;

  if v_planned.full_products is not null then
    perform interlock.raise_error('STOCK_LIMIT_EXCEEDED', jsonb_build_object(
      'product_ids', v_planned.full_products, 'limit', v_planned.most
    ));
  end if;
  perform interlock.write_inventory(v_planned.stock, p_reason, p_reference_id);
end
$$;
