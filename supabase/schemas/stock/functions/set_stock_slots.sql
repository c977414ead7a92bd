-- What public.set_stock_slots does, with its owner's rights.
--
-- Callers: service_role, through public.set_stock_slots.
-- Locks: the product, its slots; two seconds at most for each.
-- Errors: VALIDATION_FAILED, PRODUCT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write slots.
create function interlock.set_stock_slots(p_product_id uuid, p_slots int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_counted boolean;
  v_available int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_product_id is null then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is required');
  end if;
  if p_slots is null or p_slots not between 0 and 256 then
    v_problems := v_problems || interlock.problem('/p_slots', 'must be an integer from 0 to 256');
  end if;
  if p_slots > 0 and exists (
    select from interlock.products p where p.id = p_product_id and p.kind = 'digital'
  ) then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is a digital product: its stock is its codes');
  end if;
  perform interlock.refuse_problems(v_problems);

  select p.stock_policy = 'tracked' and p.backordered = 0
  into v_counted
  from interlock.products p
  where p.id = p_product_id
  for no key update;
  if not found then
    perform interlock.raise_products_not_found(array[p_product_id]);
  end if;
  if p_slots > 0 and not v_counted then
    perform interlock.refuse_problems(interlock.problem(
      '/p_product_id', 'has another stock_policy than tracked, or owes units: slots are for stock that is there'
    ));
  end if;

  v_available := interlock.settle_stock(p_product_id);
  perform interlock.make_slots(p_product_id, p_slots);

  update interlock.products p
  set stock_slots = p_slots
  where p.id = p_product_id
    and p.stock_slots <> p_slots;

  perform interlock.grant_slots(p_product_id, p_slots, v_available);

  return jsonb_build_object(
    'success', true,
    'product_id', p_product_id,
    'slots', p_slots,
    'available_quantity', v_available
  );
end
$$;
