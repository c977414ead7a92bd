-- What public.decrement_product_quantity does, with its owner's rights.
--
-- Callers: service_role, through public.decrement_product_quantity.
-- Locks: one stock row, two seconds at most.
-- Errors: VALIDATION_FAILED, PRODUCT_NOT_FOUND, INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: so that it may use the functions of this schema.
create function interlock.decrement_product_quantity(p_product_id uuid, p_quantity int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_product interlock.products;
begin
  if p_product_id is null then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is required');
  end if;
  if p_quantity is null or p_quantity < 1 then
    v_problems := v_problems || interlock.problem('/p_quantity', 'must be an integer of at least 1');
  end if;
  if exists (select 1 from interlock.products p where p.id = p_product_id and p.kind = 'digital') then
    v_problems := v_problems || interlock.problem(
      '/p_product_id', 'is a digital product: claim its codes with claim_product_codes_atomic'
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  perform interlock.take_stock(array[p_product_id], array[p_quantity], 'decrement', null);

  select p.* into v_product from interlock.products p where p.id = p_product_id;

  return jsonb_build_object(
    'success', true,
    'product_id', p_product_id,
    'old_quantity', v_product.available_quantity + p_quantity,
    'new_quantity', v_product.available_quantity,
    'deducted', p_quantity
  );
end
$$;
