-- Which share of an amount was paid with points where it is a part of what the lines of a sale cost, also with those that had paid for
-- what it was exchanged for: it earns nothing, and neither does what that part is exchanged for.
--
-- Callers: interlock.paid_by_points, of the sale whose goods come back.
-- Locks: none.
create function interlock.share_by_points(p_sale_id uuid, p_amount bigint)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select interlock.share_of(
      p_amount, interlock.paid_by_points(s.total, s.returned, t.amount, r.original_sale_id), s.total + s.returned
    )
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
