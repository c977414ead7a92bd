-- Refuse a new stock that comes as an absolute number over the API: PATCH knows no `available_quantity + n`, so what
-- was sold since the number was read would be back on the shelf. RPCs, the shop's own among them, and SQL can say it
-- relatively, and may.
--
-- Callers: triggers products_stock_relative and products_backorders_relative, where the role of the request itself writes, and no function of ours.
-- Errors: STOCK_NOT_RELATIVE.
-- Security definer: who writes products need not have the right to raise our errors.
create function interlock.refuse_stock_overwrite()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_path constant text := nullif(current_setting('request.path', true), '');
begin
  -- GraphQL is an RPC, and knows absolute numbers only, too.
  -- The stock of a digital product is its codes: that is said by the trigger that comes after.
  if new.kind = 'digital' then
    return new;
  end if;
  if v_path not like '%/rpc/%' or v_path like '%/rpc/graphql' then
    perform interlock.raise_error('STOCK_NOT_RELATIVE', jsonb_build_object(
      'product_id', old.id, 'available', old.available_quantity, 'requested', new.available_quantity
    ));
  end if;
  return new;
end
$$;
