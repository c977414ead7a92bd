-- What public.decrement_product_quantity does, with its owner's rights. With a reference it counts once: the same
-- call again answers the same and takes nothing. Of an untracked product nothing is taken; of one that is sold beyond its
-- stock the quantities are less what is owed.
--
-- Callers: service_role, through public.decrement_product_quantity.
-- Locks: the reference, one stock row, two seconds at most.
-- Errors: VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, PRODUCT_NOT_FOUND, INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: so that it may use the functions of this schema.
create function interlock.decrement_product_quantity(p_product_id uuid, p_quantity int, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_answer jsonb;
  v_deducted int := p_quantity;
  v_product interlock.products;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

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

  v_answer := interlock.begin_reference(
    'decrement_product_quantity', p_reference, jsonb_build_array(p_product_id, p_quantity)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  if exists (select from interlock.products p where p.id = p_product_id and p.stock_policy = 'untracked') then
    v_deducted := 0;
  else
    perform interlock.take_stock(array[p_product_id], array[p_quantity], 'decrement', null);
  end if;

  select p.* into v_product from interlock.products p where p.id = p_product_id;

  return interlock.finish_reference('decrement_product_quantity', p_reference, jsonb_build_object(
    'success', true,
    'product_id', p_product_id,
    'old_quantity', v_product.available_quantity - v_product.backordered + v_deducted,
    'new_quantity', v_product.available_quantity - v_product.backordered,
    'deducted', v_deducted
  ));
end
$$;
