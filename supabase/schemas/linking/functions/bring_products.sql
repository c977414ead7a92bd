-- Bring rows of a linked table to their products, as they are in this transaction: new ones are made, with the stock that the
-- row has; of others name, price, currency and whether they are for sale are taken over, and the stock moves by the difference
-- that is given. A row that is gone makes its product inactive, and what it had goes. With p_set the stock of products that
-- were there before becomes that of the row. Then whatever the shop's column has that is not the stock is written back.
--
-- Callers: interlock.bring_linked_changes, interlock.fill_link, interlock.link_products.
-- Locks: products by id, waiting, their slots; rows of the shop's table as interlock.try_write_back. The rows themselves are
--   held by the caller.
-- Errors: VALIDATION_FAILED with all rows that are not in order; INSUFFICIENT_INVENTORY with every shortage;
--   STOCK_LIMIT_EXCEEDED; 23505 unique_violation if a uuid belongs to a row of another link; 55P03 after lock_timeout.
create function interlock.bring_products(
  p_link interlock.product_links, p_ids text[], p_differences numeric[], p_set boolean default false
)
returns void
language plpgsql
set search_path = ''
-- Statements over arrays are otherwise planned again at each call; for many rows that is worth it.
set plan_cache_mode = force_generic_plan
as $$
declare
  v_rows constant interlock.source_row[] := array(select r from interlock.read_source(p_link, p_ids) r);
  v_problems jsonb;
  v_new uuid[] := '{}'::uuid[];
  v_product_ids uuid[];
  v_slotted uuid[];
begin
  if cardinality(p_ids) > 100 then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;

  if exists (select from unnest(v_rows) r where r.problems <> '{}') then
    select jsonb_agg(q.problem)
    into v_problems
    from (
      select interlock.problem('/' || r.source_id || '/' || s.entry, s.message || ': ' || s.todo) -> 0 as problem
      from unnest(v_rows) r
      cross join unnest(r.problems) as u (problem)
      join interlock.source_problems() s on s.problem = u.problem
      order by r.source_id
      limit 20
    ) q;
    perform interlock.refuse_problems(v_problems);
  end if;

  -- Rows without a product get one, unless it is there already, by the very id.
  if exists (
    select
    from unnest(v_rows) r
    left join interlock.linked_products m on m.link_id = p_link.id and m.source_id = r.source_id
    left join interlock.products p on p.id = m.product_id
    where p.id is null
  ) then
    insert into interlock.linked_products (link_id, source_id, product_id)
    select p_link.id, r.source_id, case p_link.id_type when 'uuid' then r.source_id::uuid else interlock.new_id() end
    from unnest(v_rows) r
    where not exists (
      select from interlock.linked_products m where m.link_id = p_link.id and m.source_id = r.source_id
    );
    v_new := array(
      select m.product_id
      from unnest(v_rows) r
      join interlock.linked_products m on m.link_id = p_link.id and m.source_id = r.source_id
      where not exists (select from interlock.products p where p.id = m.product_id)
    );
    insert into interlock.products (id, name, price, currency, available_quantity, active)
    select m.product_id, r.name, r.price, r.currency, r.quantity, r.active
    from unnest(v_rows) r
    join interlock.linked_products m on m.link_id = p_link.id and m.source_id = r.source_id
    join unnest(v_new) as n (id) on n.id = m.product_id;
  end if;

  v_product_ids := array(
    select p.id
    from interlock.products p
    where p.id = any (array(
      select m.product_id
      from interlock.linked_products m
      where m.link_id = p_link.id
        and m.source_id = any (p_ids)
      except
      select n.id from unnest(v_new) as n (id)
    ))
    order by p.id
    for no key update
  );
  if cardinality(v_product_ids) > 0 then
    v_slotted := array(
      select p.id
      from unnest(v_product_ids) as u (id)
      join interlock.products p on p.id = u.id
      where p.stock_slots > 0
      order by p.id
    );
    perform interlock.settle_stock(u.id) from unnest(v_slotted) as u (id);
    perform interlock.move_linked_stock(p_link, v_rows, v_product_ids, p_ids, p_differences, p_set);
    perform interlock.grant_slots(p.id, p.stock_slots, p.available_quantity)
    from interlock.products p
    where p.id = any (v_slotted);
  end if;

  update interlock.linked_products m
  set filled = true
  where m.link_id = p_link.id
    and m.source_id = any (p_ids)
    and not m.filled;

  if p_link.write_back then
    perform interlock.try_write_back(p_link, r.source_id, p.id, p.available_quantity)
    from unnest(v_rows) r
    join interlock.linked_products m on m.link_id = p_link.id and m.source_id = r.source_id
    join interlock.products p on p.id = m.product_id
    where p.available_quantity <> r.quantity
      or exists (select from interlock.stock_write_backs w where w.product_id = p.id);
  end if;
end
$$;
