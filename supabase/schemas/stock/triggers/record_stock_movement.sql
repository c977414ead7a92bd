-- Write the stock ledger for a product that has changed: what is there less what is owed. Not for whom the setting interlock.writes_ledger names,
-- by its depth of triggers: what is settled was written when it was sold, and a sale writes its own, all of its lines at once. What triggers of
-- the shop's change meanwhile lies deeper. If it may be in another state than before (interlock.stock_state), that is told.
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
  v_delta bigint;
begin
  -- All that a state comes of; a sale that changes none of it calls nothing.
  if (new.available_quantity <= new.low_stock_at) <> (old.available_quantity <= old.low_stock_at)
    or (new.available_quantity = 0) <> (old.available_quantity = 0)
    or (new.backordered < new.backorder_limit) <> (old.backordered < old.backorder_limit)
    or new.stock_policy <> old.stock_policy
    or new.active <> old.active
  then
    perform interlock.tell_stock(old, new);
  end if;
  if current_setting('interlock.writes_ledger', true) = (pg_trigger_depth() - 1)::text then
    return null;
  end if;
  v_delta := new.available_quantity::bigint - new.backordered - old.available_quantity + old.backordered;
  if v_delta = 0 then
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
