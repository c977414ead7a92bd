-- Write the stock ledger: what is there less what is owed. What is settled was written when it was sold.
--
-- Callers: the three triggers on products, once for each statement.
-- Locks: none beyond the rows it inserts; the products are locked by the statement.
-- Security definer: nobody has insert on stock_movements.
create function interlock.record_stock_movements()
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
    if current_setting('interlock.settling_slots', true) = 'on' then
      return null;
    end if;

    -- Grouped, not joined: this plan is made for the first statement of a session, mostly
    -- of a few rows, and must also do for one that changes the whole catalogue.
    insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, reference, actor)
    select
      c.id,
      sum(c.new_quantity) - sum(c.old_quantity),
      case when max(c.stock_slots) = 0 then sum(c.new_quantity) end,
      coalesce(v_reason, 'correction'),
      v_reference_id,
      v_reference,
      auth.uid()
    from (
      select n.id, n.available_quantity - n.backordered as new_quantity, 0 as old_quantity, n.stock_slots from new_rows n
      union all
      select o.id, 0, o.available_quantity - o.backordered, 0 from old_rows o
    ) c
    group by c.id
    having sum(c.new_quantity) <> sum(c.old_quantity);
  elsif tg_op = 'INSERT' then
    insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
    select
      n.id, n.available_quantity, n.available_quantity, coalesce(v_reason, 'opening'), v_reference_id, auth.uid()
    from new_rows n
    where n.available_quantity <> 0;
  else
    insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, actor)
    select o.id, o.backordered - o.available_quantity, 0, coalesce(v_reason, 'deleted'), v_reference_id, auth.uid()
    from old_rows o
    where o.available_quantity <> o.backordered;
  end if;

  return null;
end
$$;
