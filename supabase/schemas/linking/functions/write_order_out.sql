-- Write an order that is still to be written to the shop's own table; answers in how many it is now. One that somebody is changing is
-- left for the next time: who does writes it themselves.
--
-- Callers: the jobs of interlock.jobs; postgres.
-- Locks: the order, without waiting; then as interlock.write_order_row.
create function interlock.write_order_out(p_order_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
begin
  perform 1 from interlock.orders o where o.id = p_order_id for no key update skip locked;
  if not found then
    return 0;
  end if;
  return (
    select count(*) filter (where interlock.write_order_row(l, p_order_id))
    from interlock.order_write_outs w
    join interlock.order_links l on l.id = w.link_id
    where w.order_id = p_order_id
  );
end
$$;
