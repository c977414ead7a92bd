-- Write what changes in inventory to the stock ledger.
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
