-- The stock of these lines with its version, in their order. What has slots is locked, because only then is its version
-- exact (interlock.stock_version); nothing else is.
--
-- Callers: interlock.manage_inventory.
-- Locks: products with slots by id, then their slots.
-- Errors: INVENTORY_NOT_FOUND, LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.get_inventory(p_lines jsonb)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_lines constant jsonb := interlock.name_inventory_lines('get', p_lines);
  v_locked uuid[] := '{}'::uuid[];
  v_slotted uuid[];
  v_answer json;
begin
  loop
    select
      json_agg(
        json_build_object(
          'inventory_id', s.id,
          'product_id', l.product_id,
          'location_id', l.location_id,
          'quantity', coalesce(s.quantity_available, 0),
          'version', case when s.id is null then 0 else coalesce(s.version, interlock.stock_version(l.product_id)) end
        )
        order by l.line
      ),
      array_agg(distinct l.product_id) filter (where s.id is not null and s.version is null)
    into v_answer, v_slotted
    from jsonb_to_recordset(v_lines) as l (line int, inventory_id uuid, product_id uuid, location_id uuid)
    -- `limit 1` asks for one look-up by id for each line: a plain join may read the whole catalogue.
    left join lateral (
      select i.id, i.quantity_available, i.version
      from interlock.inventory_items i
      where i.id = l.inventory_id
      limit 1
    ) s on true;

    exit when v_slotted is null or v_slotted <@ v_locked;
    v_locked := v_slotted;
    perform interlock.lock_stock(v_locked);
    perform interlock.lock_slots(u.id) from (select unnest(v_locked) as id order by 1) u;
  end loop;

  return json_build_object('success', true, 'lines', v_answer);
end
$$;
