-- Give free codes to an order: exactly the quantities, or an error. Returns their ids. The caller holds the stock rows of
-- the products and has seen that there is enough. Codes that somebody else has locked are passed over. If that
-- leaves too few, the call fails as transient (55P03), so that nobody is refused because of a change that is
-- then rolled back; waiting for them would be against the lock order.
--
-- Callers: interlock.checkout, interlock.claim_product_codes_atomic, interlock.reopen_order,
--   interlock.replace_product_code.
-- Locks: free codes of the products, never waiting.
-- Errors: INSUFFICIENT_INVENTORY with every shortage; 55P03 if only locked codes are left.
create function interlock.take_product_codes(
  p_product_ids uuid[],
  p_quantities int[],
  p_order_id uuid,
  p_reason text,
  p_delivered boolean
)
returns bigint[]
language plpgsql
set search_path = ''
as $$
declare
  v_wanted constant bigint := (select sum(q) from unnest(p_quantities) as q);
  v_code_ids bigint[];
  v_shortages jsonb;
begin
  select array_agg(c.id)
  into v_code_ids
  from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
  cross join lateral (
    select f.id
    from interlock.product_codes f
    where f.product_id = w.product_id
      and f.order_id is null
    order by f.id
    limit w.quantity
    for no key update skip locked
  ) c;

  if coalesce(cardinality(v_code_ids), 0) < v_wanted then
    select array_agg(c.id)
    into v_code_ids
    from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
    cross join lateral (
      select f.id
      from interlock.product_codes f
      where f.product_id = w.product_id
        and f.order_id is null
      order by f.id
      limit w.quantity
      for no key update nowait
    ) c;
  end if;

  if coalesce(cardinality(v_code_ids), 0) < v_wanted then
    select jsonb_agg(
      jsonb_build_object('product_id', t.product_id, 'requested', t.quantity, 'available', t.available)
      order by t.product_id
    )
    into v_shortages
    from (
      select w.product_id, w.quantity, count(c.id) as available
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      left join interlock.product_codes c on c.product_id = w.product_id and c.id = any (v_code_ids)
      group by w.product_id, w.quantity
      having count(c.id) < w.quantity
    ) t;
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_shortages));
  end if;

  perform interlock.set_ledger_context(p_reason, p_order_id);

  update interlock.product_codes c
  set order_id = p_order_id,
      used_at = case when p_delivered then interlock.clock() end
  where c.id = any (v_code_ids);

  perform interlock.set_ledger_context(null, null);
  return v_code_ids;
end
$$;
