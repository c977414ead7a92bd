-- Since when the ledger of a product at a location has not added up to its stock there, and what has probably happened. Each movement says
-- what there was after it (but for those of a product with slots), so the first that does not follow from those before it
-- is where rows are missing, changed, or too many; if there is none the stock was changed after the last.
--
-- Callers: interlock.find_differences, for a product whose ledger does not add up.
-- Locks: none.
create function interlock.explain_ledger(p_product_id uuid, p_location_id uuid, out o_since timestamptz, out o_cause text)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_first record;
begin
  select c.id, c.before
  into v_first
  from (
    select
      m.id, m.balance_after,
      coalesce(b.quantity, 0) + sum(m.delta) over (order by m.id) as sum,
      lag(m.created_at) over (order by m.id) as before
    from interlock.stock_movements m
    left join interlock.stock_balances b on b.product_id = m.product_id and b.location_id = m.location_id
    where m.product_id = p_product_id
      and m.location_id = p_location_id
      and m.id > case when b.closed_through is null then 0 else b.closed_through end
  ) c
  where c.balance_after <> c.sum
  order by c.id
  limit 1;
  if found then
    o_since := v_first.before;
    o_cause := format('Rows of the ledger up to movement %s are missing, were changed or added by hand.', v_first.id);
    return;
  end if;

  o_since := (
    select m.created_at
    from interlock.stock_movements m
    where m.product_id = p_product_id
      and m.location_id = p_location_id
    order by m.id desc
    limit 1
  );
  o_cause := case
    when not exists (select from interlock.products p where p.id = p_product_id) then
      'The product was deleted past the ledger: with the triggers off, or by a restore.'
    else 'The stock was changed past the ledger: with the triggers off, or by a restore.'
  end;
end
$$;
