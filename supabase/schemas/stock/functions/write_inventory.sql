-- Bring stock to its `target`. Of the web shop what is owed is filled first, and slots are shared out anew.
--
-- Callers: interlock.change_inventory, with what interlock.plan_inventory has answered; interlock.move_quantities.
-- Locks: held already.
create function interlock.write_inventory(p_stock jsonb, p_reason text, p_reference_id uuid default null)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.set_ledger_context(p_reason, p_reference_id);
  update interlock.inventory i
  set quantity = s.target
  from jsonb_to_recordset(p_stock) as s (inventory_id uuid, target numeric)
  where i.id = s.inventory_id
    and i.quantity <> s.target;
  perform interlock.set_ledger_context(null, null);

  if p_stock @> jsonb_build_array(jsonb_build_object('location_id', interlock.online_location())) then
    perform interlock.move_stock(
      s.product_id, (s.quantity + s.owed)::int, (s.target + s.owed)::int, p_reason, p_reference_id
    )
    from jsonb_to_recordset(p_stock) as s (product_id uuid, location_id uuid, quantity numeric, owed numeric, target numeric)
    where s.location_id = interlock.online_location();
  end if;
end
$$;
