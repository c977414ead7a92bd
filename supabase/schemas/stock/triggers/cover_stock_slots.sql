-- Trigger: a product's stock covers what its slots may still sell, whoever lowers it.
--
-- Callers: trigger products_slots_covered. It asks of products with slots whose stock goes down.
-- Locks: as interlock.cover_slots.
-- Errors: 23514 check_violation products_available_quantity_nonnegative if more was sold already; 55P03.
-- Security definer: nobody has the right to write slots.
create function interlock.cover_stock_slots()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_used int;
begin
  if new.stock_slots = 0 or new.available_quantity >= old.available_quantity then
    return new;
  end if;

  v_used := interlock.cover_slots(new.id, new.available_quantity);
  if v_used is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'products_available_quantity_nonnegative',
      message = format(
        'stock %s of product %s refused: %s units were sold from its slots since it was settled',
        new.available_quantity, new.id, v_used
      ),
      hint = 'Settle first: select set_stock_slots(id, stock_slots).';
  end if;

  return new;
end
$$;
