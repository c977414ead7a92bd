-- Take stock of one product from one of its slots that is free, if its terms still hold. Returns whether it did; if it did not,
-- interlock.take_from_slots waits for one.
--
-- Callers: interlock.checkout_line.
-- Locks: a slot, without waiting.
-- Errors: 55P03 if the product changed since it was priced.
create function interlock.take_from_slot(
  p_product_id uuid, p_quantity int, p_reason text, p_reference_id uuid, p_unit_price bigint, p_currency text
)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  begin
    perform interlock.use_slot(p_product_id, p_quantity, false);
  exception
    when sqlstate 'IL002' then
      return false;
  end;
  insert into interlock.stock_movements (product_id, delta, reason, reference_id, actor)
  values (p_product_id, -p_quantity, p_reason, p_reference_id, auth.uid());
  if not exists (
    select
    from interlock.products p
    where p.id = p_product_id
      and p.active
      and p.price = p_unit_price
      and p.currency = p_currency
  ) then
    perform interlock.raise_product_changed();
  end if;
  return true;
end
$$;
