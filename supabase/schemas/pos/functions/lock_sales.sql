-- Lock sales by id; the one helper for this kind of lock. What of a sale has come back, and what was paid out for that, is read and written
-- under it.
--
-- Callers: interlock.take_receipted_returns, interlock.void_sale, interlock.correct_shortfall.
-- Locks: the sales in the order of their ids, waiting, `no key`.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_sales(p_sale_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.sales s
  where s.id = any (p_sale_ids)
  order by s.id
  for no key update;
end
$$;
