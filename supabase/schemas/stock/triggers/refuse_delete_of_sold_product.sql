-- Refuse to delete a product that was sold; what a foreign key would do, without its lock on the product at
-- each sale. A checkout that is selling it holds the product's row, which this delete has to wait for; one that
-- comes later finds no product. What was sold at a till, or came back to it, stays as well.
--
-- Callers: trigger products_sold_stay.
-- Locks: none beyond the row being deleted.
-- Errors: 23503 foreign_key_violation with constraint name products_sold_stay.
-- Security definer: deleting a product must not need rights on lines of orders and sales.
create function interlock.refuse_delete_of_sold_product()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select 1 from interlock.order_items i where i.product_id = old.id)
    or exists (select 1 from interlock.sale_lines l where l.product_id = old.id)
    or exists (select 1 from interlock.sale_returns r where r.product_id = old.id)
  then
    raise exception using
      errcode = 'foreign_key_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'products_sold_stay',
      message = format('product %s was sold and cannot be deleted', old.id),
      hint = 'Make it inactive.';
  end if;
  return old;
end
$$;
