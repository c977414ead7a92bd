-- Take back the points that a sale has earned in the part of it that came back, or give them back where that was voided: what counts
-- is how much of its lines has come back by now, so it is done once however often this is called.
--
-- Callers: interlock.take_receipted_returns, interlock.void_sale, which hold the sale.
-- Locks: as interlock.lock_points, of its customer.
create function interlock.take_returned_points(p_sale_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.take_points_back(p_sale_id, l.returned, l.total, 0)
  from (
    select sum(i.returned_amount)::bigint as returned, sum(i.total)::bigint as total
    from interlock.sale_lines i
    where i.sale_id = p_sale_id
  ) l
  join interlock.sales s on s.id = p_sale_id
  where s.customer_id is not null;
end
$$;
