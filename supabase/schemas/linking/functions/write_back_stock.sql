-- Write the stock of a product that is still to be written to the shop's own column; answers 1 if it was. A product that
-- somebody is selling is left for the next time: who sells writes it themselves.
--
-- Callers: the jobs of interlock.jobs; postgres.
-- Locks: the product, without waiting; then as interlock.try_write_back.
create function interlock.write_back_stock(p_product_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_quantity int;
  v_source_id text;
  v_link interlock.product_links;
begin
  select p.available_quantity into v_quantity
  from interlock.products p
  where p.id = p_product_id
  for no key update skip locked;
  if not found then
    return 0;
  end if;
  select m.source_id into v_source_id from interlock.linked_products m where m.product_id = p_product_id;
  select l.* into v_link
  from interlock.linked_products m
  join interlock.product_links l on l.id = m.link_id
  where m.product_id = p_product_id
    and l.active
    and l.write_back;
  if not found then
    delete from interlock.stock_write_backs w where w.product_id = p_product_id;
    return 0;
  end if;
  return interlock.try_write_back(v_link, v_source_id, p_product_id, v_quantity)::int;
end
$$;
