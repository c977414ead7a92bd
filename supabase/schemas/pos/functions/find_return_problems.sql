-- What is wrong with the shape of what comes back to a till, all of it. crates/domain/src/pos/pos_sale.rs asks the same.
--
-- Callers: interlock.find_sale_problems.
create function interlock.find_return_problems(p_returns jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  if jsonb_typeof(p_returns) <> 'array' or jsonb_array_length(p_returns) not between 1 and 100 then
    return interlock.problem('/returns', 'must be an array of 1 to 100 entries');
  end if;
  return (
    select coalesce(
      jsonb_agg(jsonb_build_object('pointer', format('/returns/%s%s', e.n - 1, p.pointer), 'message', p.message) order by e.n, p.pointer),
      '[]'
    )
    from (
      select
        i.n,
        i.item,
        jsonb_typeof(i.item) = 'object' as is_object,
        coalesce(i.item ? 'sale_id', false) as with_receipt,
        case when jsonb_typeof(i.item) = 'object' then
          (select count(*) from jsonb_object_keys(i.item) as k (name) where k.name in ('sale_id', 'inventory_id', 'product_id', 'barcode'))
        end as names,
        lower(i.item ->> 'sale_id') is distinct from lower(p_returns #>> '{0,sale_id}') as another
      from jsonb_array_elements(p_returns) with ordinality as i (item, n)
    ) e
    cross join lateral (
      select '' as pointer, 'must be an object' as message
      where not e.is_object
      union all
      select '', 'must name what comes back by one of sale_id (and line), inventory_id, product_id and barcode'
      where e.names <> 1
      union all
      select '/sale_id', 'must be that of the first entry: what comes back at once is of one sale, or all without a receipt'
      where e.is_object and e.another
      union all
      select '/' || k.name, 'must be a UUID'
      from unnest(array['sale_id', 'inventory_id', 'product_id']) as k (name)
      where e.is_object
        and e.item ? k.name
        and (jsonb_typeof(e.item -> k.name) = 'string' and interlock.is_uuid(e.item ->> k.name)) is not true
      union all
      select '/barcode', 'must be 1 to 64 printable ASCII characters without blanks'
      where e.is_object
        and e.item ? 'barcode'
        and (jsonb_typeof(e.item -> 'barcode') = 'string' and interlock.is_barcode(e.item ->> 'barcode')) is not true
      union all
      select '/line', 'must be a whole number from 0 to 99'
      where e.with_receipt
        and (interlock.is_amount(e.item -> 'line') and (e.item ->> 'line')::numeric <= 99) is not true
      union all
      select '/quantity', 'must be a number above 0 and at most 1000000, with at most 3 decimals'
      where e.is_object
        and case
          when jsonb_typeof(e.item -> 'quantity') = 'number' then
            (e.item ->> 'quantity')::numeric not between 0.001 and 1000000
            or (e.item ->> 'quantity')::numeric <> round((e.item ->> 'quantity')::numeric, 3)
          else true
        end
      union all
      select '/restock', 'must be true or false'
      where jsonb_typeof(e.item -> 'restock') <> 'boolean'
      union all
      select '/reason', 'must be 1 to 200 characters, without control characters'
      where e.is_object
        and (jsonb_typeof(e.item -> 'reason') = 'string' and interlock.is_line(e.item ->> 'reason', 200)) is not true
      union all
      select '/' || interlock.pointer_token(k.name), 'is not a known field'
      from jsonb_object_keys(case when e.is_object then e.item else '{}' end) as k (name)
      where k.name not in ('sale_id', 'inventory_id', 'product_id', 'barcode', 'quantity', 'restock', 'reason')
        and (k.name <> 'line' or not e.with_receipt)
    ) p
  );
end
$$;
