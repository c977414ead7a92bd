-- Write into the ledger of a product at a location what it lacks of the stock that is there: what is on the shelf is the truth.
--
-- Callers: interlock.resolve_finding.
-- Locks: the row of inventory, or the product and its slots, waiting: under these ids are given out.
-- Errors: 55P03 after lock_timeout.
create function interlock.correct_ledger(p_product_id uuid, p_location_id uuid, p_reason text, p_reference text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_location_id = interlock.online_location() then
    perform interlock.lock_stock(array[p_product_id]);
    perform interlock.lock_slots(p_product_id);
  else
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    perform 1
    from interlock.inventory i
    where i.product_id = p_product_id
      and i.location_id = p_location_id
    for no key update;
  end if;

  insert into interlock.stock_movements (product_id, location_id, delta, balance_after, reason, reference, actor)
  select
    d.product_id, d.location_id, d.found - d.expected,
    case when p_location_id <> interlock.online_location() or coalesce(p.stock_slots, 0) = 0 then d.found end,
    p_reason, p_reference, auth.uid()
  from interlock.find_ledger_differences(array[p_product_id]) d
  left join interlock.products p on p.id = d.product_id
  -- Less than nothing is on no shelf.
  where d.location_id = p_location_id
    and d.found >= -coalesce(p.backordered, 0);
end
$$;
