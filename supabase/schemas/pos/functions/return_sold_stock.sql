-- Give back what a sale took from the stock of its location: what it has sold, less what was not there.
--
-- Callers: interlock.void_sale, which holds the sale.
-- Locks: rows of inventory by id, or as interlock.return_stock; waiting.
-- Errors: STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.return_sold_stock(p_sale_id uuid, p_location_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_product_ids uuid[];
  v_inventory_ids uuid[];
  v_quantities numeric[];
begin
  select array_agg(l.product_id), array_agg(l.inventory_id), array_agg(l.quantity)
  into v_product_ids, v_inventory_ids, v_quantities
  from (
    select s.product_id, s.inventory_id, sum(s.quantity) - coalesce((
      select f.quantity
      from interlock.sale_shortfalls f
      where f.sale_id = p_sale_id
        and f.product_id = s.product_id
        and f.taken_at is null
    ), 0) as quantity
    from interlock.sale_lines s
    where s.sale_id = p_sale_id
      and not s.untracked
    group by s.product_id, s.inventory_id
    order by s.product_id
  ) l
  where l.quantity > 0;
  if v_product_ids is null then
    return;
  end if;

  if p_location_id = interlock.online_location() then
    perform interlock.return_stock(v_product_ids, v_quantities::int[], 'pos_void', p_sale_id);
    return;
  end if;

  perform interlock.set_ledger_context('pos_void', p_sale_id);
  with locked as materialized (
    select
      i.id, w.quantity as sold,
      clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
    from interlock.inventory i
    join unnest(v_inventory_ids, v_quantities) as w (inventory_id, quantity) on w.inventory_id = i.id
    order by i.id
    for no key update of i
  )
  update interlock.inventory i
  set quantity = i.quantity + l.sold
  from locked l
  where i.id = l.id;
  perform interlock.set_ledger_context(null, null);
end
$$;
