-- What the stock becomes: what interlock.lock_inventory has answered, with `target`, less what is owed. Lines that name the
-- same stock are added up first. What was counted in the web shop is what is on its shelf: what was owed when counting
-- began is filled from it.
--
-- Callers: interlock.change_inventory.
-- Errors: as interlock.refuse_plan, which is asked where a look does not show that there is nothing to refuse.
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
    select s.line as stock, w.quantity as wanted,
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
      p.stock || jsonb_build_object('target', trim_scale(p.target), 'wanted', p.wanted, 'moved', p.moved)
      order by (p.stock ->> 'first_line')::int
    ) as stock,
    bool_or(p.target + p.owed < 0 or p.target + p.owed > interlock.most_units()) as may_be_refused
  into v_planned
  from planned p;

  if v_planned.may_be_refused then
    perform interlock.refuse_plan(p_action, v_planned.stock);
  end if;
  return v_planned.stock;
end
$$;
