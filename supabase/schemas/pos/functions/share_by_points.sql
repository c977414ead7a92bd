-- Which share of what the lines of a sale cost was paid with points, also with those that had paid for what it was exchanged for: that
-- share of it earns nothing, and neither does what it is exchanged for.
--
-- Callers: interlock.paid_by_points, of the sale whose goods come back.
-- Locks: none.
create function interlock.share_by_points(p_sale_id uuid)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(interlock.paid_by_points(s.total, s.returned, t.amount, r.original_sale_id)::numeric / nullif(s.total + s.returned, 0), 0)
    from interlock.sales s
    cross join lateral (
      select coalesce(sum(p.amount), 0)::bigint as amount
      from interlock.sale_tenders p
      where p.sale_id = s.id
        and p.type = 'points'
    ) t
    left join interlock.sale_returns r on r.sale_id = s.id and r.n = 0
    where s.id = p_sale_id
  );
end
$$;
