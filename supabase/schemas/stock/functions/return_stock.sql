-- Give stock of physical products back. Digital ones are passed over: their stock comes back with their codes.
--
-- Callers: the release of orders.
-- Locks: the stock rows in the order of their ids, waiting, `no key`.
-- Errors: 55P03 after lock_timeout.
create function interlock.return_stock(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.lock_stock(p_product_ids);
  perform interlock.set_ledger_context(p_reason, p_reference_id);

  update interlock.products p
  set available_quantity = p.available_quantity + w.quantity
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  where p.id = w.product_id
    and p.kind = 'physical';

  perform interlock.set_ledger_context(null, null);
end
$$;
