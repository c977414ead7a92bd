-- What a changed stock comes to. A new digital product has no codes and therefore no stock, whatever the insert says; later
-- its stock changes with its codes and in no other way. Of another product what comes in fills what is owed before there is
-- anything to sell, whoever books it in.
--
-- Callers: two triggers on products. Of products that are not digital and owe nothing, and of a stock that stays, it changes nothing.
-- Locks: none beyond the row being updated.
-- Errors: 23514 check_violation with constraint name products_digital_stock_is_codes.
create function interlock.settle_changed_stock()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_filled int;
begin
  if tg_op = 'INSERT' then
    new.available_quantity := 0;
  elsif new.kind <> 'digital' and new.backordered = 0 or new.available_quantity = old.available_quantity then
    return new;
  elsif new.kind <> 'digital' then
    v_filled := least(new.backordered, new.available_quantity);
    new.backordered := new.backordered - v_filled;
    new.available_quantity := new.available_quantity - v_filled;
  elsif current_setting('interlock.counting_codes', true) is distinct from 'on' then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'products_digital_stock_is_codes',
      message = format('the stock of digital product %s is the number of its free codes', new.id),
      hint = 'Insert or delete rows of product_codes instead.';
  end if;
  return new;
end
$$;
