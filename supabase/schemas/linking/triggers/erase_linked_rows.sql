-- Take a person who was taken out of Interlock out of the shop's own rows as well, where the link says so: those of the customer,
-- and of all who were merged into them.
--
-- Callers: trigger customers_erased_rows on customers, which interlock.link_customers makes with the first link that wants it and
--   interlock.unlink_customers takes away with the last.
-- Locks: as interlock.erase_linked_row.
-- Security definer: whoever takes a person out need not have rights on the shop's table.
create function interlock.erase_linked_rows()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform interlock.erase_linked_row(l, m.source_id)
  from interlock.customers c
  join interlock.linked_customers m on m.customer_id = c.id
  join interlock.customer_links l on l.id = m.link_id
  where new.id in (c.id, c.merged_into)
    and l.active
    and l.on_erase <> 'keep';
  return null;
end
$$;
