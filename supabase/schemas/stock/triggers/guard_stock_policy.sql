-- Refuse a stock policy other than `tracked` for a digital product, which is sold by its codes, and for one with slots,
-- whose sales ask nothing but their slot; and a new product that owes units to nobody.
--
-- Callers: two triggers on products.
-- Errors: 23514 check_violation with constraint name products_stock_policy_allowed.
create function interlock.guard_stock_policy()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if new.kind = 'digital' or new.stock_slots > 0 or (tg_op = 'INSERT' and new.backordered > 0) then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'products_stock_policy_allowed',
      message = format('stock policy %s of product %s refused', new.stock_policy, new.id),
      hint = 'A digital product is sold by its codes; slots are switched off with set_stock_slots(id, 0).';
  end if;
  return new;
end
$$;
