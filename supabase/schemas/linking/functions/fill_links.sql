-- Take over some more rows of a table that was linked; answers how many. 0: nothing is left, or what is left is held by
-- somebody.
--
-- Callers: the jobs of interlock.jobs; postgres.
-- Locks: as interlock.fill_link.
-- Errors: as interlock.fill_link.
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
    exit when v_done > 0;
  end loop;
  return v_done;
end
$$;
