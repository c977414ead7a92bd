-- Take what a sale has sold from the stock of its location. All or nothing; lines of one product are added up.
--
-- Callers: interlock.make_sale; interlock.park_sale; interlock.undo_sold_stock, of what had come back.
-- Locks: rows of inventory by id, or as interlock.take_stock; waiting.
-- Errors: PRODUCT_NOT_FOUND, INSUFFICIENT_INVENTORY with every shortage; 55P03 after lock_timeout.
create function interlock.take_sold_stock(
  p_look interlock.sale_look,
  p_location_id uuid,
  p_sale_id uuid,
  p_reason text default 'pos_sale'
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_product_ids uuid[];
  v_inventory_ids uuid[];
  v_quantities numeric[];
  v_found int;
  v_shortages jsonb;
begin
  select array_agg(l.product_id), array_agg(l.inventory_id), array_agg(l.quantity)
  into v_product_ids, v_inventory_ids, v_quantities
  from (
    select u.product_id, u.inventory_id, sum(u.quantity) as quantity
    from unnest(p_look.product_ids, p_look.inventory_ids, p_look.quantities, p_look.untracked)
      as u (product_id, inventory_id, quantity, untracked)
    where not u.untracked
    group by u.product_id, u.inventory_id
  ) l;
  if v_product_ids is null then
    return;
  end if;

  if p_location_id = interlock.online_location() then
    perform interlock.take_stock(v_product_ids, v_quantities::int[], p_reason, p_sale_id);
    return;
  end if;

  with locked as materialized (
    select
      i.id, i.product_id, i.quantity, w.quantity as wanted,
      clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
    from interlock.inventory i
    join unnest(v_inventory_ids, v_quantities) as w (inventory_id, quantity) on w.inventory_id = i.id
    order by i.id
    for no key update of i
  )
  select
    count(*),
    jsonb_agg(
      jsonb_build_object(
        'inventory_id', l.id,
        'product_id', l.product_id,
        'location_id', p_location_id,
        'requested', trim_scale(l.wanted),
        'available', trim_scale(l.quantity)
      )
      order by l.product_id
    ) filter (where l.quantity < l.wanted)
  into v_found, v_shortages
  from locked l;
  if v_shortages is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_shortages));
  end if;
  if v_found <> cardinality(v_product_ids) then
    perform interlock.raise_product_changed();
  end if;

  -- A statement of its own: one that has waited comes upon versions from before the wait, on which others may be waiting.
  perform interlock.set_ledger_context(p_reason, p_sale_id);
  update interlock.inventory i
  set quantity = i.quantity - w.quantity
  from unnest(v_inventory_ids, v_quantities) as w (inventory_id, quantity)
  where i.id = w.inventory_id;
  perform interlock.set_ledger_context(null, null);
end
$$;
