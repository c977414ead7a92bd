-- Give stock of physical products back. Digital ones are passed over: their stock comes back with their codes.
--
-- Callers: the release of orders.
-- Locks: the stock rows in the order of their ids, waiting, `no key`.
-- Errors: STOCK_LIMIT_EXCEEDED if a product has no room for them, with all such products; 55P03 after lock_timeout.
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
declare
  v_full jsonb;
begin
  perform interlock.lock_stock(p_product_ids);

  select jsonb_agg(p.id order by p.id)
  into v_full
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  join interlock.products p on p.id = w.product_id
  where p.kind = 'physical'
    and p.available_quantity > interlock.most_units() - w.quantity;
  if v_full is not null then
    perform interlock.raise_error(
      'STOCK_LIMIT_EXCEEDED', jsonb_build_object('product_ids', v_full, 'limit', interlock.most_units())
    );
  end if;

  perform interlock.set_ledger_context(p_reason, p_reference_id);

  update interlock.products p
  set available_quantity = p.available_quantity + w.quantity
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  where p.id = w.product_id
    and p.kind = 'physical';

  perform interlock.set_ledger_context(null, null);
end
$$;
