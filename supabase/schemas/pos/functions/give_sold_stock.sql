-- Give goods to the stock of the location of a till. Those of one product are added up.
--
-- Callers: interlock.put_back, interlock.undo_sold_stock, interlock.end_parked_sale, which hold the stock (interlock.lock_sold_stock).
-- Locks: none beyond those.
-- Errors: STOCK_LIMIT_EXCEEDED.
create function interlock.give_sold_stock(
  p_location_id uuid,
  p_product_ids uuid[],
  p_quantities numeric[],
  p_reason text,
  p_reference_id uuid
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_location_id = interlock.online_location() then
    perform interlock.return_stock(array_agg(g.product_id), array_agg(g.quantity::int), p_reason, p_reference_id)
    from (
      select u.product_id, sum(u.quantity) as quantity
      from unnest(p_product_ids, p_quantities) as u (product_id, quantity)
      group by u.product_id
    ) g;
    return;
  end if;

  perform interlock.set_ledger_context(p_reason, p_reference_id);
  update interlock.inventory i
  set quantity = i.quantity + g.quantity
  from (
    select u.product_id, sum(u.quantity) as quantity
    from unnest(p_product_ids, p_quantities) as u (product_id, quantity)
    group by u.product_id
  ) g
  where i.product_id = g.product_id
    and i.location_id = p_location_id;
  perform interlock.set_ledger_context(null, null);
end
$$;
