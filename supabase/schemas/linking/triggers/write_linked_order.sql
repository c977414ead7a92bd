-- Write an order that is new, or that has changed, to the tables of the shop's own, at the commit: as it is then, with its lines and
-- details, however many statements came before.
--
-- Callers: triggers orders_linked_insert, orders_linked_update and order_details_linked, which interlock.link_orders makes with the
--   first link and interlock.unlink_orders takes away with the last: without one no order knows of links.
-- Locks: as interlock.write_order_row; the order is locked by the statement.
-- Security definer: whoever orders need not have rights on the shop's table.
create function interlock.write_linked_order()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform interlock.write_order_row(l, o.id)
  from interlock.orders o
  join interlock.order_links l on l.since <= o.created_at
  where o.id = case tg_table_name when 'orders' then to_jsonb(new) ->> 'id' else to_jsonb(new) ->> 'order_id' end::uuid;
  return null;
end
$$;
