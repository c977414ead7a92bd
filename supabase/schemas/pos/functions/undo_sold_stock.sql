-- Undo what a sale did to the stock of its location: what was sold is given back, less what was not there, and what came back with it is taken out again,
-- all in one pass.
--
-- Callers: interlock.void_sale, which holds the sale.
-- Locks: as interlock.lock_sold_stock.
-- Errors: STOCK_LIMIT_EXCEEDED, INSUFFICIENT_INVENTORY (what came back is not there any more); 55P03 after lock_timeout.
create function interlock.undo_sold_stock(p_sale_id uuid, p_location_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_product_ids uuid[];
  v_quantities numeric[];
  v_returned interlock.sale_look;
begin
  select array_agg(l.product_id), array_agg(l.quantity)
  into v_product_ids, v_quantities
  from (
    select s.product_id, sum(s.quantity) - coalesce((
      select f.quantity
      from interlock.sale_shortfalls f
      where f.sale_id = p_sale_id
        and f.product_id = s.product_id
        and f.taken_at is null
    ), 0) as quantity
    from interlock.sale_lines s
    where s.sale_id = p_sale_id
      and not s.untracked
    group by s.product_id
  ) l
  where l.quantity > 0;
  select array_agg(r.product_id), array_agg(r.inventory_id), array_agg(r.quantity), array_agg(false)
  into v_returned.product_ids, v_returned.inventory_ids, v_returned.quantities, v_returned.untracked
  from interlock.sale_returns r
  where r.sale_id = p_sale_id
    and r.inventory_id is not null;

  perform interlock.lock_sold_stock(p_location_id, v_product_ids || v_returned.product_ids);
  if v_product_ids is not null then
    perform interlock.give_sold_stock(p_location_id, v_product_ids, v_quantities, 'pos_void', p_sale_id);
  end if;
  if v_returned.product_ids is not null then
    perform interlock.take_sold_stock(v_returned, p_location_id, p_sale_id, 'pos_void');
  end if;
end
$$;
