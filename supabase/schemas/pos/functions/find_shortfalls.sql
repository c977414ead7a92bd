-- What these sales of tills that were cut off have sold of stock that was not there, and that has not been taken since.
--
-- Callers: interlock.find_differences.
-- Locks: none.
create function interlock.find_shortfalls(p_sale_ids uuid[])
returns table (
  product_id uuid, location_id uuid, sale_id uuid, expected numeric, found numeric, since timestamptz, cause text
)
language sql
stable
set search_path = ''
as $$
  select
    f.product_id, f.location_id, f.sale_id, trim_scale(f.sold), trim_scale(f.sold - f.quantity), s.sold_at,
    'A till that was cut off has sold it, and the stock said that it was not there: count it.'
  from interlock.sale_shortfalls f
  join interlock.sales s on s.id = f.sale_id
  where f.sale_id = any (p_sale_ids)
    and f.taken_at is null
    and s.status = 'completed'
$$;
