-- A new digital product has no codes and therefore no stock, whatever the insert says; later its stock changes
-- with its codes and in no other way.
--
-- Callers: two triggers on products, only for digital products whose stock would change.
-- Errors: 23514 check_violation with constraint name products_digital_stock_is_codes.
create function interlock.guard_digital_stock()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    new.available_quantity := 0;
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
