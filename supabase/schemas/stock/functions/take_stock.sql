-- Take the stock of physical products, and lock and check that of digital ones. All or nothing. Products with
-- slots are taken at their gate. Returns whether units are owed now that are not there (policy backorder).
--
-- Callers: whatever sells from the web shop's stock. Each product occurs once, with a quantity above 0.
-- Locks: the row of a single product, or as interlock.take_from_rows; then slots product by product in the order of their ids.
-- Errors: PRODUCT_NOT_FOUND with every id, INSUFFICIENT_INVENTORY with every shortage; 55P03 if the caller's
--   terms do not hold any more, and after lock_timeout.
create function interlock.take_stock(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid,
  p_unit_prices bigint[] default null,
  p_currency text default null
)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_rows record;
  v_wanted record;
  v_available int;
begin
  -- One product of which there is enough. Whatever is not found so is looked at below.
  if cardinality(p_product_ids) = 1 and interlock.take_from_row(
    p_product_ids[1], p_quantities[1], p_reason, p_reference_id, p_unit_prices[1], p_currency
  ) then
    return false;
  end if;

  v_rows := interlock.take_from_rows(
    p_product_ids, p_quantities, p_reason, p_reference_id, p_unit_prices, p_currency
  );

  if v_rows.o_with_slots is not null then
    perform interlock.set_ledger_context(p_reason, p_reference_id);
    for v_wanted in
      select w.product_id, w.quantity
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      where w.product_id = any (v_rows.o_with_slots)
      order by w.product_id
    loop
      v_available := interlock.take_at_gate(v_wanted.product_id, v_wanted.quantity);
      if v_available is not null then
        v_rows.o_shortages := coalesce(v_rows.o_shortages, '[]') || jsonb_build_object(
          'product_id', v_wanted.product_id,
          'requested', v_wanted.quantity,
          'available', v_available
        );
      end if;
    end loop;
    perform interlock.set_ledger_context(null, null);
  end if;

  if v_rows.o_shortages is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', (
      select jsonb_agg(
        case
          -- A till is told which stock it is.
          when p_reason like 'pos\_%' then s.shortage || jsonb_build_object(
            'inventory_id', s.shortage -> 'product_id', 'location_id', interlock.online_location()
          )
          else s.shortage
        end
        order by s.shortage ->> 'product_id'
      )
      from jsonb_array_elements(v_rows.o_shortages) as s (shortage)
    )));
  end if;

  if v_rows.o_changed then
    perform interlock.raise_product_changed();
  end if;

  return v_rows.o_owed is true;
end
$$;
