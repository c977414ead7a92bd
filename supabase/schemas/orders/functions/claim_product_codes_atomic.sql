-- What public.claim_product_codes_atomic does, with its owner's rights. The order then has exactly p_quantity
-- codes of the product. It counts once for an order and product: called again with the same quantity it answers
-- the same codes and takes nothing. With a reference the same call again answers what it has answered, whatever has
-- become of the order since. The codes of an order that is paid are delivered at once, others when it is
-- paid.
--
-- Callers: service_role, through public.claim_product_codes_atomic.
-- Locks: the reference, the order, the product's stock row, its codes; each wait two seconds at most.
-- Errors: VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT (the order has ended),
--   PRODUCT_NOT_FOUND, INSUFFICIENT_INVENTORY; 55P03 is transient.
-- Security definer: so that it may use the functions of this schema.
create function interlock.claim_product_codes_atomic(
  p_product_id uuid,
  p_quantity int,
  p_order_id uuid,
  p_reference text
)
returns table (id bigint, code text)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_order_status text;
  v_kind text;
  v_owned bigint;
  v_answer jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_product_id is null then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is required');
  end if;
  if p_quantity is null or p_quantity not between 1 and 1000000 then
    v_problems := v_problems || interlock.problem('/p_quantity', 'must be an integer from 1 to 1000000');
  end if;
  if p_order_id is null then
    v_problems := v_problems || interlock.problem('/p_order_id', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'claim_product_codes_atomic', p_reference, jsonb_build_array(p_product_id, p_quantity, p_order_id)
  );
  if v_answer is not null then
    return query select r.id, r.code from jsonb_to_recordset(v_answer) as r (id bigint, code text);
    return;
  end if;

  select p.kind into v_kind from interlock.products p where p.id = p_product_id;
  if not found then
    perform interlock.raise_products_not_found(array[p_product_id]);
  end if;
  if v_kind <> 'digital' then
    perform interlock.refuse_problems(interlock.problem('/p_product_id', 'is not a digital product'));
  end if;

  v_order_status := interlock.lock_order(p_order_id);
  if v_order_status is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  select count(*)
  into v_owned
  from interlock.product_codes c
  where c.order_id = p_order_id
    and c.product_id = p_product_id
    and c.replaced_by is null;

  if v_owned = 0 then
    if v_order_status not in ('pending_payment', 'confirmed', 'paid', 'fulfilled') then
      perform interlock.raise_error(
        'ORDER_STATE_CONFLICT',
        jsonb_build_object('order_id', p_order_id, 'status', v_order_status)
      );
    end if;
    perform interlock.take_stock(array[p_product_id], array[p_quantity], 'codes', p_order_id);
    perform interlock.take_product_codes(
      array[p_product_id], array[p_quantity], p_order_id, 'codes', v_order_status in ('paid', 'fulfilled')
    );
  elsif v_owned <> p_quantity then
    perform interlock.refuse_problems(
      interlock.problem('/p_quantity', format('the order already has %s codes', v_owned))
    );
  end if;

  select jsonb_agg(jsonb_build_object('id', c.id, 'code', c.code) order by c.id)
  into v_answer
  from interlock.product_codes c
  where c.order_id = p_order_id
    and c.product_id = p_product_id
    and c.replaced_by is null;

  return query
    select r.id, r.code
    from jsonb_to_recordset(
      interlock.finish_reference('claim_product_codes_atomic', p_reference, v_answer)
    ) as r (id bigint, code text);
end
$$;
