-- Refuse a new id or kind for a product.
--
-- Callers: trigger products_identity_fixed, only when one of them would change.
-- Errors: 23514 check_violation with constraint name products_identity_fixed.
create function interlock.refuse_product_identity_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'check_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = 'products_identity_fixed',
    message = format('id and kind of product %s cannot change', old.id),
    hint = 'Make the product inactive and insert another one.';
end
$$;
