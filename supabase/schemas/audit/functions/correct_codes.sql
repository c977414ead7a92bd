-- Without an order: set the stock of a digital product to the number of its free codes. Of an order: give it the codes that
-- it lacks, or take back those too many that nobody has seen.
--
-- Callers: interlock.resolve_finding.
-- Locks: the account of its buyer and the order; the product's stock row, its codes.
-- Errors: INSUFFICIENT_INVENTORY, PRODUCT_NOT_FOUND; 55P03 is transient.
create function interlock.correct_codes(p_product_id uuid, p_order_id uuid, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_status constant text := interlock.lock_order(p_order_id);
  v_missing int;
begin
  perform interlock.lock_stock(array[p_product_id]);
  select d.expected - d.found
  into v_missing
  from interlock.find_code_differences(array[p_product_id], array[p_order_id]) d
  where d.product_id = p_product_id
    and d.order_id is not distinct from p_order_id;

  if p_order_id is null then
    perform interlock.set_ledger_context(p_reason, null), set_config('interlock.counting_codes', 'on', true);
    update interlock.products p
    set available_quantity = p.available_quantity + v_missing
    where p.id = p_product_id
      and v_missing <> 0;
    perform interlock.set_ledger_context(null, null), set_config('interlock.counting_codes', '', true);
  elsif v_missing > 0 then
    perform interlock.take_stock(array[p_product_id], array[v_missing], p_reason, p_order_id);
    perform interlock.take_product_codes(
      array[p_product_id], array[v_missing], p_order_id, p_reason, v_status in ('paid', 'fulfilled')
    );
  elsif v_missing < 0 then
    perform interlock.set_ledger_context(p_reason, p_order_id);
    update interlock.product_codes c
    set order_id = null
    where c.id = any (array(
      select k.id
      from interlock.product_codes k
      where k.order_id = p_order_id
        and k.product_id = p_product_id
        and k.used_at is null
      order by k.id desc
      limit -v_missing
    ));
    perform interlock.set_ledger_context(null, null);
  end if;
end
$$;
