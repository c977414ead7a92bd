-- Refuse fewer decimals for a product than its stock at some location has.
--
-- Nobody writes inventory until the transaction ends, so that none comes in between. It does not wait for those who are
-- writing: they may be waiting for this product.
--
-- Callers: trigger products_decimals_kept, only when decimals would be lowered.
-- Locks: the table inventory against writing, never waiting.
-- Errors: 23514 check_violation with constraint name products_decimals_kept; 55P03, try again.
-- Security definer: who writes products need not have rights on inventory.
create function interlock.keep_decimals()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  lock table interlock.inventory in share mode nowait;
  if exists (
    select from interlock.inventory i where i.product_id = new.id and i.quantity <> round(i.quantity, new.decimals)
  ) then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'products_decimals_kept',
      message = format('%s decimals for product %s refused: its stock at a location has more', new.decimals, new.id),
      hint = 'Bring its stock to fewer decimals first, with a reason: manage_inventory.';
  end if;
  return new;
end
$$;
