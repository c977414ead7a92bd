-- Write the stock ledger for products that are new or deleted: what is there less what is owed.
--
-- Callers: two triggers on products, once for each statement.
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
begin
  if tg_op = 'INSERT' then
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
