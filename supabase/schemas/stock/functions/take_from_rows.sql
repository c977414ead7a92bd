-- Lock stock rows and take the stock of those without slots, in two statements whatever their number. Says which
-- ones have slots (those are only locked), every shortage among the others, and whether a product has another
-- price or currency by now than the caller's, or is inactive. For a digital product the row is only locked and
-- checked: its stock is its free codes, and interlock.take_product_codes takes them next. What is short of a product that
-- may owe units is owed, if that is not too much. The ledger is written in the statement that takes: a row that the trigger
-- writes costs as much as four of a set.
--
-- Callers: interlock.take_stock, interlock.take_from_slots.
-- Locks: the stock rows in the order of their ids, waiting, `no key`. Quantity and slots are read from the
--   newest version of each row, after the wait: in `locked`, and by the statement after it. That one takes, for who takes
--   in the statement that has waited comes upon versions from before the wait, on which others may be waiting for them.
-- Errors: PRODUCT_NOT_FOUND with every id; 55P03 after lock_timeout.
create function interlock.take_from_rows(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid,
  p_unit_prices bigint[],
  p_currency text,
  out o_with_slots uuid[],
  out o_shortages jsonb,
  out o_changed boolean,
  out o_owed boolean
)
language plpgsql
set search_path = ''
as $$
declare
  v_found uuid[];
  v_owed record;
  v_writes_ledger text;
  -- An assignment costs a fourth of a PERFORM. @plpgsql_check_options: extra_warnings = false
  v_set text;
begin
  with wanted as (
    select w.product_id, w.quantity, w.unit_price
    from unnest(p_product_ids, p_quantities, p_unit_prices) as w (product_id, quantity, unit_price)
  ),
  locked as materialized (
    select
      p.id, p.kind, p.available_quantity, p.price, p.currency, p.active, p.stock_slots,
      w.quantity, w.unit_price,
      -- Asked before each row is locked, not once: however long the cart, what is left of two seconds is left.
      clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
    from interlock.products p
    join wanted w on w.product_id = p.id
    order by p.id
    for no key update of p
  )
  select
    array_agg(l.id),
    jsonb_agg(
      jsonb_build_object(
        'product_id', l.id,
        'requested', l.quantity,
        'available', l.available_quantity
      )
    ) filter (where l.available_quantity < l.quantity and l.stock_slots = 0),
    bool_or(not l.active or l.price <> l.unit_price or l.currency <> p_currency)
      filter (where p_currency is not null),
    array_agg(l.id) filter (where l.stock_slots > 0)
  into v_found, o_shortages, o_changed, o_with_slots
  from locked l;

  if cardinality(v_found) is distinct from cardinality(p_product_ids) then
    perform interlock.raise_products_not_found(
      array(select unnest(p_product_ids) except select unnest(v_found))
    );
  end if;

  v_writes_ledger := current_setting('interlock.writes_ledger', true);
  v_set := set_config('interlock.writes_ledger', pg_trigger_depth()::text, true);
  with taken as (
    update interlock.products p
    set available_quantity = p.available_quantity - w.quantity
    from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
    where p.id = w.product_id
      and p.kind = 'physical'
      and p.stock_slots = 0
      and p.available_quantity >= w.quantity
    returning p.id, w.quantity, p.available_quantity - p.backordered as balance
  )
  insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, reference, actor)
  select
    t.id, -t.quantity, t.balance, p_reason, p_reference_id, nullif(current_setting('interlock.reference', true), ''),
    (select auth.uid())
  from taken t;
  v_set := set_config('interlock.writes_ledger', v_writes_ledger, true);

  if o_shortages is not null then
    perform interlock.set_ledger_context(p_reason, p_reference_id);
    v_owed := interlock.take_backorders(o_shortages);
    perform interlock.set_ledger_context(null, null);
    o_shortages := v_owed.o_shortages;
    o_owed := v_owed.o_owed;
  end if;
end
$$;
