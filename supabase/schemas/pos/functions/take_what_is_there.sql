-- Take what a till that was cut off has sold from the stock of its location, as far as it is there, and answer what is not: an array
-- of shortages, each product once. The goods have left the shop, so nothing is refused, and nothing is owed.
--
-- Callers: interlock.make_sale.
-- Locks: as interlock.lock_sold_stock; of products their slots; waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.take_what_is_there(p_look interlock.sale_look, p_location_id uuid, p_sale_id uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_product_ids uuid[];
  v_inventory_ids uuid[];
  v_quantities numeric[];
  v_there numeric[];
begin
  select array_agg(l.product_id), array_agg(l.inventory_id), array_agg(l.quantity)
  into v_product_ids, v_inventory_ids, v_quantities
  from (
    select u.product_id, u.inventory_id, sum(u.quantity) as quantity
    from unnest(p_look.product_ids, p_look.inventory_ids, p_look.quantities, p_look.untracked)
      as u (product_id, inventory_id, quantity, untracked)
    where not u.untracked
    group by u.product_id, u.inventory_id
    order by u.product_id
  ) l;
  if v_product_ids is null then
    return jsonb '[]';
  end if;

  perform interlock.lock_sold_stock(p_location_id, v_product_ids);
  if p_location_id = interlock.online_location() then
    select array_agg(interlock.settle_stock(u.id)::numeric order by u.n)
    into v_there
    from unnest(v_product_ids) with ordinality as u (id, n);
    perform interlock.move_stock(
      w.product_id, w.there::int, (w.there - least(w.there, w.quantity))::int, 'pos_sale', p_sale_id
    )
    from unnest(v_product_ids, v_quantities, v_there) as w (product_id, quantity, there);
  else
    select array_agg(coalesce(i.quantity, 0) order by u.n), array_agg(i.id order by u.n)
    into v_there, v_inventory_ids
    from unnest(v_product_ids) with ordinality as u (id, n)
    left join interlock.inventory i on i.product_id = u.id and i.location_id = p_location_id;
    perform interlock.set_ledger_context('pos_sale', p_sale_id);
    update interlock.inventory i
    set quantity = i.quantity - least(i.quantity, w.quantity)
    from unnest(v_inventory_ids, v_quantities) as w (inventory_id, quantity)
    where i.id = w.inventory_id;
    perform interlock.set_ledger_context(null, null);
  end if;

  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'inventory_id', w.inventory_id,
          'product_id', w.product_id,
          'location_id', p_location_id,
          'requested', trim_scale(w.quantity),
          'available', trim_scale(coalesce(w.there, 0))
        )
        order by w.n
      ) filter (where w.quantity > coalesce(w.there, 0)),
      '[]'
    )
    from unnest(v_product_ids, v_inventory_ids, v_quantities, v_there)
      with ordinality as w (product_id, inventory_id, quantity, there, n)
  );
end
$$;
