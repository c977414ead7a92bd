-- What is in the way in the rows of a table that is to be linked: each kind once, with how many rows have it, the first of
-- them, and what to do.
--
-- Callers: interlock.link_products.
-- Locks: none.
create function interlock.find_source_problems(p_link interlock.product_links)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with row as materialized (
    select r.*, m.product_id as mapped_id, case when p_link.id_type = 'uuid' then r.source_id::uuid end as own_id
    from interlock.read_source(p_link) r
    left join interlock.linked_products m on m.link_id = p_link.id and m.source_id = r.source_id
  ),
  known as materialized (
    select r.source_id, r.quantity, p.id, p.kind, p.available_quantity - coalesce(s.used, 0) as available
    from row r
    join interlock.products p on p.id = coalesce(r.mapped_id, r.own_id)
    left join lateral (
      select sum(c.used) as used from interlock.counter_slots c where c.owner_id = p.id and p.stock_slots > 0
    ) s on true
  ),
  found (entry, message, todo, source_id) as (
    select s.entry, s.message, s.todo, r.source_id
    from row r
    cross join unnest(r.problems) as u (problem)
    join interlock.source_problems() s on s.problem = u.problem
    union all
    select
      'quantity', 'has another stock than its product in Interlock',
      'say which one counts: p_stock_from => ''source'', or ''interlock''', k.source_id
    from known k
    where p_link.quantity_column is not null
      and p_link.stock_from is null
      and k.kind = 'physical'
      and k.quantity <> k.available
    union all
    select
      'quantity', 'is a digital product in Interlock, whose stock is its codes', 'leave quantity out of the map', k.source_id
    from known k
    where p_link.quantity_column is not null
      and k.kind = 'digital'
    union all
    select
      'id', 'has the key of a product that another table is linked to', 'unlink the other table with p_forget => true', r.source_id
    from row r
    join interlock.linked_products m on m.product_id = r.own_id and m.link_id <> p_link.id
    where r.mapped_id is null
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'pointer', '/p_map/' || f.entry,
    'message', format('%s %s: %s', f.times, case f.times when 1 then 'row ' || f.message else 'rows: each ' || f.message end, f.todo),
    'rows', f.times,
    'first', f.first,
    'todo', f.todo
  ) order by f.entry collate "C", f.message collate "C"), '[]')
  from (
    select
      f.entry, f.message, f.todo, count(*) as times,
      (array_agg(f.source_id order by f.source_id))[1:10] as first
    from found f
    group by f.entry, f.message, f.todo
  ) f
$$;
