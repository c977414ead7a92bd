-- Write the stock ledger for a product that has changed: what is there less what is owed. What is settled was written when
-- it was sold. If its stock comes to another step, it is broadcast.
--
-- Row by row, without tables of old and new rows: a sale changes one row, and costs a tenth less so. A change of the whole
-- catalogue takes twice as long. The condition stands here, not at the trigger, whose text Postgres reads at every statement.
--
-- Callers: trigger products_record_stock.
-- Locks: none beyond the row it inserts; the product is locked by the statement.
-- Security definer: nobody has insert on stock_movements.
create function interlock.record_stock_movement()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_delta constant bigint :=
    new.available_quantity::bigint - new.backordered - old.available_quantity + old.backordered;
begin
  -- What a badge shows: none, up to five, more.
  if width_bucket(new.available_quantity, '{1,6}'::int[]) <> width_bucket(old.available_quantity, '{1,6}'::int[]) then
    perform interlock.broadcast_stock(new);
  end if;
  if v_delta = 0 or current_setting('interlock.settling_slots', true) = 'on' then
    return null;
  end if;
  insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, reference, actor)
  values (
    new.id,
    v_delta,
    case when new.stock_slots = 0 then new.available_quantity - new.backordered end,
    coalesce(nullif(current_setting('interlock.reason', true), ''), 'correction'),
    nullif(current_setting('interlock.reference_id', true), '')::uuid,
    nullif(current_setting('interlock.reference', true), ''),
    auth.uid()
  );
  return null;
end
$$;
