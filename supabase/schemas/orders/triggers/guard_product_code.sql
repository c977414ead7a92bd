-- Refuse a code for a physical product, another product for a code, and giving a delivered code to anybody else
-- or free.
--
-- Callers: trigger product_codes_guard.
-- Locks: none beyond the row itself.
-- Errors: 23514 check_violation with constraint name product_codes_product_is_digital,
--   product_codes_product_fixed or product_codes_delivered_stay.
create function interlock.guard_product_code()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_constraint text;
begin
  if tg_op = 'INSERT' then
    if exists (select 1 from interlock.products p where p.id = new.product_id and p.kind <> 'digital') then
      v_constraint := 'product_codes_product_is_digital';
    end if;
  elsif old.used_at is not null and (
    tg_op = 'DELETE'
    or new.used_at is null
    or new.order_id is distinct from old.order_id
    or new.code is distinct from old.code
  ) then
    v_constraint := 'product_codes_delivered_stay';
  elsif tg_op = 'UPDATE' and new.product_id <> old.product_id then
    v_constraint := 'product_codes_product_fixed';
  end if;

  if v_constraint is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = v_constraint,
      message = format('%s of a product code refused by %s', lower(tg_op), v_constraint);
  end if;

  return case tg_op when 'DELETE' then old else new end;
end
$$;
