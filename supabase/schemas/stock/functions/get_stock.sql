-- What public.get_stock does, with its owner's rights. `orderable_quantity` is what can be ordered, which may be more than
-- there is; null means any number. `state` is what a badge shows.
--
-- Callers: anon, authenticated and service_role, through public.get_stock.
-- Locks: none. Errors: VALIDATION_FAILED.
-- Security definer: slots are nobody's to read. Inactive products are for the shop only.
create function interlock.get_stock(p_product_ids uuid[])
returns table (
  product_id uuid, available_quantity int, stock_slots int, stock_policy text, backordered int, orderable_quantity int,
  state text
)
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
begin
  if p_product_ids is null or cardinality(p_product_ids) not between 1 and 1000 then
    perform interlock.refuse_problems(interlock.problem('/p_product_ids', 'must have 1 to 1000 ids'));
  end if;

  return query
    select
      p.id, s.available, p.stock_slots, p.stock_policy::text, p.backordered::int,
      case p.stock_policy
        when 'tracked' then s.available
        when 'backorder' then s.available + greatest(p.backorder_limit - p.backordered, 0)
      end,
      interlock.stock_state(p, s.available)
    from interlock.products p
    cross join lateral (
      select (p.available_quantity - coalesce(sum(c.used), 0))::int as available
      from interlock.counter_slots c
      where c.owner_id = p.id and p.stock_slots > 0
    ) s
    where p.id = any (p_product_ids)
      and (p.active or interlock.acts_for_shop())
    order by p.id;
end
$$;
