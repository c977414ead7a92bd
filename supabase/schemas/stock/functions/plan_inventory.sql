-- What the stock becomes: what interlock.lock_inventory has answered, with `target`, less what is owed. Lines that name the
-- same stock are added up first. What was counted in the web shop is what is on its shelf: what was owed when counting
-- began is filled from it. Every shortage is refused at once.
--
-- Callers: interlock.change_inventory.
-- Errors: INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED.
create function interlock.plan_inventory(p_action text, p_lines jsonb, p_stock jsonb, p_began_at timestamptz)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_planned record;
begin
  with wanted as (
    select l.product_id, l.location_id, sum(coalesce(l.delta, l.quantity, l.counted)) as quantity, min(l.began_at) as began_at
    from jsonb_to_recordset(p_lines) as l (
      product_id uuid, location_id uuid, delta numeric, quantity numeric, counted numeric, began_at timestamptz
    )
    group by l.product_id, l.location_id
  ),
  stock as (
    select s.line as stock,
      -- A row that was made for this goes with the refusal.
      case when s.line -> 'made' = 'false' then s.line ->> 'inventory_id' end as inventory_id,
      w.product_id, w.location_id, w.quantity as wanted,
      (s.line ->> 'quantity')::numeric as quantity, (s.line ->> 'owed')::numeric as owed, m.moved
    from jsonb_array_elements(p_stock) as s (line)
    join wanted w
      on w.product_id = (s.line ->> 'product_id')::uuid and w.location_id = (s.line ->> 'location_id')::uuid
    cross join lateral (
      select case p_action
        when 'count' then interlock.moved_since(w.product_id, w.location_id, coalesce(w.began_at, p_began_at))
      end as moved
    ) m
  ),
  planned as (
    select s.*, case p_action
      when 'set' then s.wanted
      when 'count' then s.wanted + s.moved - greatest(0, s.moved - s.quantity)
      else s.quantity + s.wanted
    end as target
    from stock s
  )
  select
    jsonb_agg(
      jsonb_build_object(
        'inventory_id', p.inventory_id,
        'product_id', p.product_id,
        'location_id', p.location_id,
        'requested', trim_scale(case p_action when 'count' then -p.moved else -p.wanted end),
        'available', trim_scale(case p_action when 'count' then p.wanted else p.quantity + p.owed end)
      )
      order by (p.stock ->> 'first_line')::int
    ) filter (where p.target + p.owed < 0) as shortages,
    jsonb_agg(distinct p.product_id)
      filter (where p.location_id = interlock.online_location() and p.target + p.owed > interlock.most_units()) as full_online,
    jsonb_agg(distinct p.product_id)
      filter (where p.location_id <> interlock.online_location() and p.target >= 100000000000) as full_elsewhere,
    jsonb_agg(p.stock || jsonb_build_object('target', trim_scale(p.target)) order by (p.stock ->> 'first_line')::int) as stock
  into v_planned
  from planned p;

  if v_planned.shortages is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_planned.shortages));
  end if;
  if num_nonnulls(v_planned.full_online, v_planned.full_elsewhere) > 0 then
    perform interlock.raise_error('STOCK_LIMIT_EXCEEDED', jsonb_build_object(
      'product_ids', coalesce(v_planned.full_online, v_planned.full_elsewhere),
      'limit', case when v_planned.full_online is null then 99999999999.999 else interlock.most_units() end
    ));
  end if;
  return v_planned.stock;
end
$$;
