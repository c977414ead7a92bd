-- Move the stock of digital products with their free codes.
--
-- Callers: three triggers on product_codes, once for each statement.
-- Locks: the stock rows of the products concerned in the order of their ids, waiting; our functions hold them
--   already.
-- Security definer: changing codes must not need rights on products.
create function interlock.count_free_codes()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_product_ids uuid[];
  v_deltas int[];
  v_reason constant text := nullif(current_setting('interlock.reason', true), '');
begin
  if tg_op = 'UPDATE' then
    select array_agg(d.product_id order by d.product_id), array_agg(d.delta order by d.product_id)
    into v_product_ids, v_deltas
    from (
      select c.product_id, sum(c.free)::int as delta
      from (
        select n.product_id, 1 as free from new_rows n where n.order_id is null
        union all
        select o.product_id, -1 from old_rows o where o.order_id is null
      ) c
      group by c.product_id
      having sum(c.free) <> 0
    ) d;
  elsif tg_op = 'INSERT' then
    select array_agg(d.product_id order by d.product_id), array_agg(d.delta order by d.product_id)
    into v_product_ids, v_deltas
    from (
      select n.product_id, count(*)::int as delta from new_rows n where n.order_id is null group by n.product_id
    ) d;
  else
    select array_agg(d.product_id order by d.product_id), array_agg(d.delta order by d.product_id)
    into v_product_ids, v_deltas
    from (
      select o.product_id, -count(*)::int as delta from old_rows o where o.order_id is null group by o.product_id
    ) d;
  end if;

  if v_product_ids is null then
    return null;
  end if;

  perform interlock.lock_stock(v_product_ids);

  if v_reason is null then
    perform interlock.set_ledger_context('codes', null);
  end if;
  perform set_config('interlock.counting_codes', 'on', true);

  update interlock.products p
  set available_quantity = p.available_quantity + d.delta
  from unnest(v_product_ids, v_deltas) as d (product_id, delta)
  where p.id = d.product_id;

  perform set_config('interlock.counting_codes', '', true);
  if v_reason is null then
    perform interlock.set_ledger_context(null, null);
  end if;

  return null;
end
$$;
