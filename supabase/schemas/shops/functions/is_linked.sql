-- Whether a table of the shop's own is linked to any shop.
--
-- Callers: triggers on linked tables, where the present shop has no link to it.
-- Locks: none.
-- Security definer: the link is another shop's.
create function interlock.is_linked(p_table regclass)
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
  select exists (select from interlock.product_links l where l.source = p_table and l.active)
    or exists (select from interlock.customer_links l where l.source = p_table and l.active)
$$;
