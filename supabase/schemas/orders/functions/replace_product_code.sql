-- What public.replace_product_code does, with its owner's rights: a delivered key that does not work gets another one in
-- its place, once. Both stay, the old one with the reason; the buyer sees the new one. Called again it answers the same.
--
-- Callers: authenticated (staff) and service_role, through public.replace_product_code.
-- Locks: the order; without p_new_code the product's stock row and a free code, as interlock.take_product_codes, with
--   one the entry of that code in the index, which nobody holds who waits for an order. Two seconds at most in all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, PRODUCT_CODE_NOT_FOUND, PRODUCT_CODE_NOT_DELIVERED,
--   PRODUCT_CODE_REPLACED, ORDER_STATE_CONFLICT (the order has ended), INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: staff have no right to write codes.
create function interlock.replace_product_code(p_code_id bigint, p_reason text, p_new_code text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_old interlock.product_codes;
  v_status text;
  v_new_id bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  if p_code_id is null then
    v_problems := v_problems || interlock.problem('/p_code_id', 'is required');
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 200 characters');
  end if;
  if char_length(p_new_code) > 500 or interlock.normal_code(p_new_code) = '' then
    v_problems := v_problems || interlock.problem('/p_new_code', 'must have 1 to 500 characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  select c.* into v_old from interlock.product_codes c where c.id = p_code_id;
  if not found then
    perform interlock.raise_error('PRODUCT_CODE_NOT_FOUND', jsonb_build_object('code_id', p_code_id));
  end if;
  if v_old.used_at is null then
    perform interlock.raise_error('PRODUCT_CODE_NOT_DELIVERED', jsonb_build_object('code_id', p_code_id));
  end if;

  -- A delivered code stays with its order. Under its lock nobody else replaces it.
  v_status := interlock.lock_order(v_old.order_id);
  select c.* into v_old from interlock.product_codes c where c.id = p_code_id;

  if v_old.replaced_by is null then
    if v_status not in ('paid', 'fulfilled') then
      perform interlock.raise_error(
        'ORDER_STATE_CONFLICT', jsonb_build_object('order_id', v_old.order_id, 'status', v_status)
      );
    end if;

    if p_new_code is null then
      perform interlock.take_stock(array[v_old.product_id], array[1], 'replacement', v_old.order_id);
      v_new_id := (interlock.take_product_codes(
        array[v_old.product_id], array[1], v_old.order_id, 'replacement', true
      ))[1];
    else
      if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
        perform interlock.limit_wait();
      end if;
      insert into interlock.product_codes (product_id, code, order_id, used_at)
      values (v_old.product_id, p_new_code, v_old.order_id, interlock.clock())
      on conflict do nothing
      returning id into v_new_id;
      if v_new_id is null then
        perform interlock.refuse_problems(interlock.problem('/p_new_code', 'is a code of this product already'));
      end if;
    end if;

    update interlock.product_codes c
    set replaced_by = v_new_id,
        replaced_at = interlock.clock(),
        replaced_reason = p_reason,
        replaced_actor = auth.uid()
    where c.id = p_code_id
    returning c.* into v_old;
  elsif not exists (
    select
    from interlock.product_codes n
    where n.id = v_old.replaced_by
      and interlock.normal_code(n.code) = interlock.normal_code(coalesce(p_new_code, n.code))
  ) then
    perform interlock.raise_error('PRODUCT_CODE_REPLACED', jsonb_build_object(
      'code_id', p_code_id, 'replaced_by', v_old.replaced_by, 'replaced_at', v_old.replaced_at
    ));
  end if;

  return jsonb_build_object(
    'success', true,
    'code_id', p_code_id,
    'replaced_by', v_old.replaced_by,
    'replaced_at', v_old.replaced_at,
    'reason', v_old.replaced_reason,
    'product_id', v_old.product_id,
    'order_id', v_old.order_id
  );
end
$$;
