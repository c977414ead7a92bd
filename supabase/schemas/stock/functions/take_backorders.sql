-- Of products that are short take all that there is and owe the rest, where their policy and its limit allow. Answers what
-- is short all the same, with what could be had, and whether anything is owed now.
--
-- Callers: interlock.take_from_rows, with the rows locked.
-- Locks: none beyond those.
create function interlock.take_backorders(p_shortages jsonb, out o_shortages jsonb, out o_owed boolean)
language plpgsql
set search_path = ''
as $$
begin
  with wanted as (
    select (s ->> 'product_id')::uuid as product_id, (s ->> 'requested')::int as quantity, s as shortage
    from jsonb_array_elements(p_shortages) as s
  ),
  owed as (
    update interlock.products p
    set available_quantity = 0,
        backordered = p.backordered + w.quantity - p.available_quantity
    from wanted w
    where p.id = w.product_id
      and p.stock_policy = 'backorder'
      and w.quantity - p.available_quantity <= p.backorder_limit - p.backordered
    returning p.id
  )
  select
    jsonb_agg(
      case p.stock_policy
        when 'backorder' then jsonb_set(
          w.shortage, '{available}',
          to_jsonb(p.available_quantity + greatest(p.backorder_limit - p.backordered, 0))
        )
        else w.shortage
      end
    ) filter (where o.id is null),
    count(o.id) > 0
  into o_shortages, o_owed
  from wanted w
  join interlock.products p on p.id = w.product_id
  left join owed o on o.id = w.product_id;
end
$$;
