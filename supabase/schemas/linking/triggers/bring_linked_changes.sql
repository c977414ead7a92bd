-- Bring what this transaction has changed in linked tables to customers and products, all of it at once.
--
-- Callers: trigger linked_changes_brought, at the commit or with `set constraints … immediate`; the first call does all.
-- Locks: as interlock.bring_customers; then products by id, waiting, whatever the order of the statements was; their slots. The rows of the shop's tables are
--   locked before, by their statements, and whoever holds a product waits for none of them (interlock.try_write_back): so
--   nobody waits in a circle.
-- Errors: as interlock.bring_customers and interlock.bring_products; 55P03 after lock_timeout.
-- Security definer: whoever may write the shop's table need not know of this schema.
create function interlock.bring_linked_changes()
returns trigger
language plpgsql
security definer
set search_path = ''
set lock_timeout = '10s'
set plan_cache_mode = force_generic_plan
as $$
declare
  v_link_ids uuid[];
  v_source_ids text[];
  v_differences numeric[];
  v_entries text[];
  v_people interlock.customer_links;
  v_link interlock.product_links;
begin
  with taken as (
    delete from interlock.linked_changes c
    where c.transaction = pg_current_xact_id()
    returning c.link_id, c.source_ids, c.differences, c.entries
  ),
  changed as (
    select t.link_id, u.source_id, sum(u.difference) as difference, string_agg(u.entries, ',') as entries
    from taken t
    cross join unnest(t.source_ids, t.differences, t.entries) as u (source_id, difference, entries)
    group by t.link_id, u.source_id
  )
  select array_agg(c.link_id), array_agg(c.source_id), array_agg(c.difference), array_agg(c.entries)
  into v_link_ids, v_source_ids, v_differences, v_entries
  from changed c;
  if v_link_ids is null then
    return null;
  end if;

  for v_people in
    select l.* from interlock.customer_links l where l.id = any (v_link_ids) and l.active order by l.id
  loop
    perform interlock.bring_customers(
      v_people, array_agg(u.source_id order by u.source_id), array_agg(u.entries order by u.source_id)
    )
    from unnest(v_link_ids, v_source_ids, v_entries) as u (link_id, source_id, entries)
    where u.link_id = v_people.id;
  end loop;

  -- Those of all links before any is changed.
  perform 1
  from interlock.products p
  where p.id = any (array(
    select m.product_id
    from unnest(v_link_ids, v_source_ids) as u (link_id, source_id)
    join interlock.linked_products m on m.link_id = u.link_id and m.source_id = u.source_id
  ))
  order by p.id
  for no key update;

  for v_link in
    select l.* from interlock.product_links l where l.id = any (v_link_ids) and l.active order by l.id
  loop
    perform interlock.bring_products(
      v_link, array_agg(u.source_id order by u.source_id), array_agg(u.difference order by u.source_id)
    )
    from unnest(v_link_ids, v_source_ids, v_differences) as u (link_id, source_id, difference)
    where u.link_id = v_link.id;
  end loop;
  return null;
end
$$;
