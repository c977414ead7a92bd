-- Write the stock of a linked product that has changed to the shop's own column.
--
-- Callers: trigger products_written_back on products, which interlock.link_products makes with the first link that wants it and
--   interlock.unlink_products takes away with the last: without one no sale knows of links.
-- Locks: as interlock.try_write_back.
-- Security definer: whoever sells need not have rights on the shop's table.
create function interlock.write_stock_back()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_link interlock.product_links;
  v_source_id text;
begin
  -- interlock.bring_products writes by itself what differs.
  if current_setting('interlock.bringing_products', true) = (pg_trigger_depth() - 1)::text then
    return null;
  end if;
  select m.source_id into v_source_id from interlock.linked_products m where m.product_id = new.id;
  if found then
    select l.* into v_link
    from interlock.linked_products m
    join interlock.product_links l on l.id = m.link_id
    where m.product_id = new.id
      and l.active
      and l.write_back;
    if found then
      perform interlock.try_write_back(v_link, v_source_id, new.id, new.available_quantity);
    end if;
  end if;
  return null;
end
$$;
