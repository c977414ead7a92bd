-- Lock stock rows by id: the only other way our code locks them.
--
-- Callers: interlock.return_stock and the release of orders. Locks: the stock rows in the order of their ids,
--   waiting, `no key`.
-- Errors: 55P03 after lock_timeout. Products that are gone are passed over.
create function interlock.lock_stock(p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.products p
  where p.id = any (p_product_ids)
  order by p.id
  for no key update;
end
$$;
