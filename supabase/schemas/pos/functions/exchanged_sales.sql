-- The sale with which something began and all that it was exchanged for since, but for what is void, each with the customer who has
-- its points by now.
--
-- Callers: interlock.refuse_refund, interlock.points_to_give_back.
-- Locks: none.
create function interlock.exchanged_sales(p_root_sale_id uuid)
returns table (id uuid, root_sale_id uuid, total bigint, returned bigint, change_due bigint, customer_id uuid)
language plpgsql
stable
rows 2
set search_path = ''
as $$
begin
  return query
    select s.id, s.root_sale_id, s.total::bigint, s.returned::bigint, s.change_due::bigint, coalesce(c.merged_into, c.id)
    from (
      select o.* from interlock.sales o where o.id = p_root_sale_id
      union all
      select o.* from interlock.sales o where o.root_sale_id = p_root_sale_id
    ) s
    left join interlock.customers c on c.id = s.customer_id
    where s.status = 'completed';
end
$$;
