-- Every stock there is under its inventory id, as those who know one table of stock with a version read it. Exact: what
-- slots have sold is taken off.
--
-- The version of the web shop's stock is its latest movement, which is what a sale writes anyway. While a product has slots
-- it is null here: their sales go side by side, so the latest may be there before an earlier one is.
-- public.manage_inventory answers it, because it waits for them.
create view interlock.inventory_items
with (security_invoker = true)
as
  select
    i.id,
    i.product_id,
    i.location_id,
    trim_scale(i.quantity) as quantity_available,
    i.version::bigint as version
  from interlock.inventory i
  union all
  select
    p.id,
    p.id,
    interlock.online_location(),
    (p.available_quantity - p.backordered - coalesce(s.used, 0))::numeric,
    case p.stock_slots when 0 then greatest(coalesce(m.id, 0), coalesce(b.closed_through, 0)) end
  from interlock.products p
  left join lateral (
    select sum(c.used) as used from interlock.counter_slots c where c.owner_id = p.id
  ) s on p.stock_slots > 0
  left join lateral (
    select l.id
    from interlock.stock_movements l
    where l.product_id = p.id
      and l.location_id = interlock.online_location()
    order by l.id desc
    limit 1
  ) m on true
  left join interlock.stock_balances b on b.product_id = p.id and b.location_id = interlock.online_location();

comment on view interlock.inventory_items is
  'Every stock by its inventory id: a row of inventory, or a product for its stock in the web shop. Read only.';

grant select on table interlock.inventory_items to service_role;
