-- Refuse what cannot become of stock: every shortage at once, then what would be more than a row can hold. p_stock is what
-- interlock.plan_inventory answers.
--
-- Callers: interlock.plan_inventory.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED.
create function interlock.refuse_plan(p_action text, p_stock jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_refused record;
begin
  select
    jsonb_agg(
      jsonb_build_object(
        -- A row that was made for this goes with the refusal.
        'inventory_id', case when not p.made then p.inventory_id end,
        'product_id', p.product_id,
        'location_id', p.location_id,
        'requested', trim_scale(case p_action when 'count' then -p.moved else -p.wanted end),
        'available', trim_scale(case p_action when 'count' then p.wanted else p.quantity + p.owed end)
      )
      order by p.first_line
    ) filter (where p.target + p.owed < 0) as shortages,
    jsonb_agg(distinct p.product_id)
      filter (where p.location_id = interlock.online_location() and p.target + p.owed > interlock.most_units()) as full_online,
    jsonb_agg(distinct p.product_id)
      filter (where p.location_id <> interlock.online_location() and p.target >= 100000000000) as full_elsewhere
  into v_refused
  from jsonb_to_recordset(p_stock) as p (
    inventory_id uuid, product_id uuid, location_id uuid, made boolean, first_line int, quantity numeric, owed numeric, wanted numeric,
    moved numeric, target numeric
  );

  if v_refused.shortages is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_refused.shortages));
  end if;
  if num_nonnulls(v_refused.full_online, v_refused.full_elsewhere) > 0 then
    perform interlock.raise_error('STOCK_LIMIT_EXCEEDED', jsonb_build_object(
      'product_ids', coalesce(v_refused.full_online, v_refused.full_elsewhere),
      'limit', case when v_refused.full_online is null then 99999999999.999 else interlock.most_units() end
    ));
  end if;
end
$$;
