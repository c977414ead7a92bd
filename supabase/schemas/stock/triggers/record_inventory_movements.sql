-- Write what changes in inventory to the stock ledger, and tell what has come to be low (the event stock.low).
--
-- Callers: the three triggers on inventory, once for each statement.
-- Locks: none beyond the rows it inserts; the rows of inventory are locked by the statement.
-- Security definer: nobody has insert on stock_movements.
create function interlock.record_inventory_movements()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_reason constant text := nullif(current_setting('interlock.reason', true), '');
  v_reference_id constant uuid := nullif(current_setting('interlock.reference_id', true), '')::uuid;
  v_reference constant text := nullif(current_setting('interlock.reference', true), '');
begin
  if tg_op = 'UPDATE' then
    -- Grouped, not joined: this plan is made for the first statement of a session, mostly of a few rows, and must also do for
    -- one that changes all.
    insert into interlock.stock_movements (
      product_id, location_id, delta, balance_after, reason, reference_id, reference, actor
    )
    select
      c.product_id,
      c.location_id,
      trim_scale(sum(c.new_quantity) - sum(c.old_quantity)),
      trim_scale(sum(c.new_quantity)),
      coalesce(v_reason, 'correction'),
      v_reference_id,
      v_reference,
      auth.uid()
    from (
      select n.product_id, n.location_id, n.quantity as new_quantity, 0 as old_quantity from new_rows n
      union all
      select o.product_id, o.location_id, 0, o.quantity from old_rows o
    ) c
    group by c.product_id, c.location_id
    having sum(c.new_quantity) <> sum(c.old_quantity);

    -- Few rows are watched, and of those few are low.
    if exists (select from new_rows n where n.quantity <= n.low_stock_at) then
      perform interlock.note_event('stock.low', i.product_id::text, jsonb_build_object(
        'product_id', i.product_id,
        'location_id', i.location_id,
        'available_quantity', trim_scale(i.quantity),
        'low_stock_at', trim_scale(i.low_stock_at),
        'state', case when i.quantity = 0 then 'sold_out' else 'low' end
      ))
      from (
        select c.id
        from (
          select n.id, n.quantity <= n.low_stock_at as is_low, false as was_low from new_rows n
          union all
          select o.id, false, o.quantity <= o.low_stock_at from old_rows o
        ) c
        group by c.id
        having bool_or(c.is_low) and not bool_or(c.was_low)
      ) fell
      join interlock.inventory i on i.id = fell.id
      join interlock.products p on p.id = i.product_id and p.active
      order by i.id;
    end if;
  elsif tg_op = 'INSERT' then
    insert into interlock.stock_movements (
      product_id, location_id, delta, balance_after, reason, reference_id, reference, actor
    )
    select
      n.product_id, n.location_id, trim_scale(n.quantity), trim_scale(n.quantity), coalesce(v_reason, 'opening'),
      v_reference_id, v_reference, auth.uid()
    from new_rows n
    where n.quantity <> 0;
  else
    insert into interlock.stock_movements (product_id, location_id, delta, balance_after, reason, reference_id, actor)
    select
      o.product_id, o.location_id, trim_scale(-o.quantity), 0, coalesce(v_reason, 'deleted'), v_reference_id, auth.uid()
    from old_rows o
    where o.quantity <> 0;
  end if;

  return null;
end
$$;
