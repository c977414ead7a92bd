-- What amounts of products earn by the rules, at the share of a tier: for each class its amounts are added up, every full
-- per_amount of it has so many points, and the sum's share is rounded down. Of what is paid with points (p_unearning), each class
-- bears its part. Nothing where somebody else keeps the points (settings.points_authority).
--
-- Callers: interlock.earn_points, interlock.book_orders.
-- Locks: none.
create function interlock.points_for(
  p_currency text,
  p_product_ids uuid[],
  p_amounts bigint[],
  p_unearning bigint,
  p_tier text
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  v_all constant numeric := (select sum(a) from unnest(p_amounts) as a);
begin
  return (
    select floor(coalesce(sum(floor(c.amount * (v_all - p_unearning) / nullif(v_all, 0) / r.per_amount) * r.points), 0)
      * coalesce((select t.earns_percent from interlock.tiers t where t.name = p_tier), 100) / 100)::bigint
    from (
      select p.loyalty_class, sum(l.amount) as amount
      from unnest(p_product_ids, p_amounts) as l (product_id, amount)
      join interlock.products p on p.id = l.product_id
      group by p.loyalty_class
    ) c
    join interlock.points_rules r on r.currency = p_currency and r.loyalty_class = c.loyalty_class
    where (select s.points_authority from interlock.settings s) = 'shop'
  );
end
$$;
