-- Take of a row of inventory, and say what interlock.decrement_inventory answers; null if there is no such row.
--
-- Callers: interlock.decrement_inventory.
-- Locks: the row, waiting.
-- Errors: VALIDATION_FAILED, INSUFFICIENT_INVENTORY; 55P03 after lock_timeout.
create function interlock.decrement_row(p_inventory_id uuid, p_quantity numeric)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_row record;
  v_left numeric;
begin
  loop
    select i.product_id, i.location_id, i.quantity, p.decimals
    into v_row
    from interlock.inventory i
    join interlock.products p on p.id = i.product_id
    where i.id = p_inventory_id;
    if not found then
      return null;
    end if;
    if p_quantity <> round(p_quantity, v_row.decimals) then
      perform interlock.refuse_problems(interlock.problem(
        '/p_quantity', format('must have at most %s decimals, as the product has', v_row.decimals)
      ));
    end if;
    -- What is seen without a lock is committed: no order of events could have sold more.
    if v_row.quantity < p_quantity then
      perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', jsonb_build_array(
        jsonb_build_object(
          'inventory_id', p_inventory_id,
          'product_id', v_row.product_id,
          'location_id', v_row.location_id,
          'requested', trim_scale(p_quantity),
          'available', trim_scale(v_row.quantity)
        )
      )));
    end if;

    perform interlock.set_ledger_context('decrement', null);
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.inventory i
    set quantity = i.quantity - p_quantity
    where i.id = p_inventory_id
      and i.quantity >= p_quantity
    returning i.quantity into v_left;
    perform interlock.set_ledger_context(null, null);

    -- Somebody was first, and what they left may be enough again by now.
    exit when v_left is not null;
  end loop;

  return json_build_object(
    'success', true,
    'inventory_id', p_inventory_id,
    'old_quantity', trim_scale(v_left + p_quantity),
    'new_quantity', trim_scale(v_left),
    'deducted', trim_scale(p_quantity)
  );
end
$$;
