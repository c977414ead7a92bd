-- Take stock without a gate: products of p_slotted from one slot each, the others from their rows. First from
-- slots that are free, then from slots that are worth waiting for. Returns whether it did.
--
-- Callers: interlock.checkout and interlock.checkout_line, with at least one product in p_slotted: those with slots of which it has seen a
--   slot with enough. Each product occurs once, with a quantity above 0.
-- Locks: the stock rows of the others as interlock.take_from_rows, then one slot of each product, products in the
--   order of their ids. If it did not do, all of them are given back.
-- Errors: PRODUCT_NOT_FOUND; 55P03 if a product changed since it was priced, and after lock_timeout.
create function interlock.take_from_slots(
  p_product_ids uuid[],
  p_quantities int[],
  p_reason text,
  p_reference_id uuid,
  p_unit_prices bigint[],
  p_currency text,
  p_slotted uuid[]
)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_wait boolean;
  v_others record;
  v_rows record;
  v_changed boolean := false;
begin
  foreach v_wait in array array[false, true] loop
    begin
      if cardinality(p_slotted) < cardinality(p_product_ids) then
        select
          array_agg(w.product_id) as product_ids,
          array_agg(w.quantity) as quantities,
          array_agg(w.unit_price) as unit_prices
        into v_others
        from unnest(p_product_ids, p_quantities, p_unit_prices) as w (product_id, quantity, unit_price)
        where w.product_id <> all (p_slotted);

        v_rows := interlock.take_from_rows(
          v_others.product_ids, v_others.quantities, p_reason, p_reference_id, v_others.unit_prices, p_currency
        );

        -- The gate knows every shortage, and in which order to take slots.
        if v_rows.o_shortages is not null or v_rows.o_with_slots is not null then
          raise exception using errcode = 'IL002', message = 'not without the gate';
        end if;
        v_changed := v_rows.o_changed;
      end if;

      perform interlock.use_slot(w.product_id, w.quantity, v_wait)
      from (
        select u.product_id, u.quantity
        from unnest(p_product_ids, p_quantities) as u (product_id, quantity)
        where u.product_id = any (p_slotted)
        order by u.product_id
      ) w;

      insert into interlock.stock_movements (product_id, delta, reason, reference_id, actor)
      select w.product_id, -w.quantity, p_reason, p_reference_id, auth.uid()
      from unnest(p_product_ids, p_quantities) as w (product_id, quantity)
      where w.product_id = any (p_slotted);

      if v_changed or exists (
        select
        from unnest(p_product_ids, p_unit_prices) as w (product_id, unit_price)
        left join interlock.products p on p.id = w.product_id
        where w.product_id = any (p_slotted)
          and (p.active and p.price = w.unit_price and p.currency = p_currency) is not true
      ) then
        perform interlock.raise_product_changed();
      end if;
      return true;
    exception
      when sqlstate 'IL002' then
        null;
    end;
  end loop;

  return false;
end
$$;
