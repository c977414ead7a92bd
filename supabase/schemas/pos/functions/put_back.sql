-- Put what comes back at a till, and what a parked sale has kept, into its stock, before the sale takes what it sells: all that it gives and takes is locked first, so
-- nobody sees it on the shelf in between, and an exchange of the last unit for another of its kind finds one. Answers what came back with
-- the stock to which it went, and the look of the sale with stock of which there was no row yet.
--
-- Callers: interlock.make_sale; interlock.park_sale, of what is parked again.
-- Locks: new rows of inventory in the order of their products; then as interlock.lock_sold_stock.
-- Errors: STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.put_back(
  p_look interlock.sale_look,
  p_location_id uuid,
  p_sale_id uuid,
  p_returns interlock.sale_returns[],
  p_parked interlock.parked_sales,
  out o_look interlock.sale_look,
  out o_returns interlock.sale_returns[]
)
language plpgsql
set search_path = ''
as $$
declare
  -- What is answered is a row with two members. @plpgsql_check_options: extra_warnings = false
  v_online constant boolean := p_location_id = interlock.online_location();
  -- What goes into the stock, if it can be counted there.
  v_product_ids constant uuid[] := array(
    select distinct r.product_id
    from unnest(p_returns) as r
    join interlock.products p on p.id = r.product_id and p.stock_policy <> 'untracked'
    where r.restock
  );
begin
  if not v_online then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    insert into interlock.inventory (product_id, location_id)
    select u.id, p_location_id
    from (
      select r.id from unnest(v_product_ids) as r (id)
      union
      select l.product_id
      from unnest(p_look.product_ids, p_look.inventory_ids, p_look.untracked) as l (product_id, inventory_id, untracked)
      where l.inventory_id is null
        and not l.untracked
    ) u
    order by u.id
    on conflict do nothing;
  end if;

  perform interlock.lock_sold_stock(p_location_id, v_product_ids || p_parked.held_product_ids || array(
    select u.product_id from unnest(p_look.product_ids, p_look.untracked) as u (product_id, untracked) where not u.untracked
  ));
  if v_product_ids <> '{}' then
    perform interlock.give_sold_stock(
      p_location_id, array_agg(r.product_id), array_agg(r.quantity), 'pos_return', p_sale_id
    )
    from unnest(p_returns) as r
    where r.restock
      and r.product_id = any (v_product_ids);
  end if;

  if p_parked.held_product_ids <> '{}' then
    perform interlock.give_sold_stock(
      p_location_id, p_parked.held_product_ids, p_parked.held_quantities, 'pos_park', p_parked.id
    );
  end if;

  o_look := p_look;
  if not v_online then
    select array_agg(coalesce(u.inventory_id, i.id) order by u.n)
    into o_look.inventory_ids
    from unnest(p_look.product_ids, p_look.inventory_ids) with ordinality as u (product_id, inventory_id, n)
    left join interlock.inventory i on i.product_id = u.product_id and i.location_id = p_location_id;
  end if;
  select array_agg(jsonb_populate_record(r, jsonb_build_object(
    'inventory_id', case
      when r.restock and r.product_id = any (v_product_ids) then case when v_online then r.product_id else i.id end
    end
  )))
  into o_returns
  from unnest(p_returns) as r
  left join interlock.inventory i on i.product_id = r.product_id and i.location_id = p_location_id;
end
$$;
