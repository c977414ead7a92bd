-- What a row of inventory may be, and its version. Refused are the web shop, whose stock is in products, digital products,
-- whose stock is their codes, another product, location or id for a row, and a quantity finer than its product has
-- decimals.
--
-- interlock.keep_decimals, which lowers decimals, lets no row be written meanwhile; so what is read here still holds.
--
-- Callers: triggers inventory_new_row and inventory_changed.
-- Errors: 23514 check_violation with constraint names inventory_identity_fixed, inventory_not_online,
--   inventory_not_digital, inventory_decimals.
-- Security definer: who writes inventory need not read products.
create function interlock.guard_inventory()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_constraint text;
begin
  if tg_op = 'UPDATE' then
    if (new.id, new.product_id, new.location_id) is distinct from (old.id, old.product_id, old.location_id) then
      v_constraint := 'inventory_identity_fixed';
    end if;
    new.version := old.version + 1;
    new.updated_at := now();
  elsif new.location_id = interlock.online_location() then
    v_constraint := 'inventory_not_online';
  elsif exists (select from interlock.products p where p.id = new.product_id and p.kind = 'digital') then
    v_constraint := 'inventory_not_digital';
  end if;
  if new.quantity <> trunc(new.quantity)
    and new.quantity <> round(new.quantity, (select p.decimals from interlock.products p where p.id = new.product_id))
  then
    v_constraint := 'inventory_decimals';
  end if;

  if v_constraint is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = v_constraint,
      message = format('%s of product %s at location %s refused', new.quantity, new.product_id, new.location_id),
      hint = 'Whole units of physical products, or as many decimals as products.decimals says; stock of the web shop is products.available_quantity.';
  end if;
  return new;
end
$$;
