-- Take over some more rows of a table that was linked, write some more orders to one, or take out of a shop's row a person who was taken out here; answers how
-- many. 0: nothing is left, or what is left is held by somebody.
--
-- Callers: the jobs of interlock.jobs; postgres.
-- Locks: as interlock.fill_link, interlock.fill_customers, interlock.fill_orders, interlock.erase_linked_row.
-- Errors: as these.
create function interlock.fill_links(p_limit int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_source regclass;
  v_done int := 0;
begin
  for v_source in select l.source from interlock.product_links l where l.active and l.filled_at is null order by l.id loop
    v_done := (interlock.fill_link(v_source, p_limit) ->> 'done')::int;
    if v_done > 0 then
      return v_done;
    end if;
  end loop;
  for v_source in select l.source from interlock.customer_links l where l.active and l.filled_at is null order by l.id loop
    v_done := (interlock.fill_customers(v_source, p_limit) ->> 'done')::int;
    if v_done > 0 then
      return v_done;
    end if;
  end loop;
  for v_source in select l.target from interlock.order_links l where l.filled_at is null order by l.id loop
    v_done := (interlock.fill_orders(v_source, p_limit) ->> 'done')::int;
    if v_done > 0 then
      return v_done;
    end if;
  end loop;
  select count(*) filter (where interlock.erase_linked_row(l, m.source_id))
  into v_done
  from interlock.linked_customers m
  join interlock.customer_links l on l.id = m.link_id
  where m.to_erase;
  return v_done;
end
$$;
