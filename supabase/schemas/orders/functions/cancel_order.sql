-- What public.cancel_order does, with its owner's rights. A buyer cancels what is unpaid and still on the shelf. The shop
-- cancels until any of the goods are shipped, and an unpaid parcel that came back: its units are not on the shelf then.
--
-- An order that is cancelled already is answered, and its key is not kept: as after a refusal nothing was done that a
-- repetition could do twice, and whoever cancels again and again under new keys leaves nothing behind.
--
-- Callers: authenticated and service_role, through public.cancel_order.
-- Locks: idempotency key, order, then as interlock.settle_orders; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, ORDER_NOT_FOUND (also for somebody else's order),
--   ORDER_NOT_CANCELLABLE, STOCK_LIMIT_EXCEEDED, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.cancel_order(p_order_id uuid, p_idempotency_key text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_shop constant boolean := interlock.acts_for_shop();
  v_answer text;
  v_order interlock.orders;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if auth.uid() is null and not v_shop then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  if p_order_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_order_id', 'is required'));
  end if;

  v_answer := interlock.begin_idempotent(
    'cancel_order', p_idempotency_key, jsonb_build_object('order_id', p_order_id)
  );
  if v_answer is not null then
    return v_answer::json;
  end if;

  if not v_shop then
    perform interlock.require_user();
  end if;

  if not exists (
    select 1
    from interlock.orders o
    where o.id = p_order_id
      and (v_shop or o.user_id = auth.uid())
  ) then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  perform interlock.lock_order(p_order_id);
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  -- It may have moved to another account meanwhile.
  if not v_shop and v_order.user_id <> auth.uid() then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  if v_order.status <> 'cancelled' then
    if (case
      when not v_shop then
        v_order.status not in ('pending_payment', 'confirmed') or v_order.fulfillment <> 'unfulfilled'
      when v_order.status = 'paid' then v_order.fulfillment in ('partly_shipped', 'shipped')
      else v_order.status not in ('pending_payment', 'confirmed')
    end) then
      perform interlock.raise_error('ORDER_NOT_CANCELLABLE', jsonb_build_object(
        'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
      ));
    end if;

    update interlock.orders o
    set status = 'cancelled'
    where o.id = p_order_id;
  end if;

  v_answer := interlock.order_answer(p_order_id)::text;
  if v_order.status <> 'cancelled' then
    perform interlock.finish_idempotent('cancel_order', p_idempotency_key, v_answer);
  else
    perform interlock.forget_idempotent('cancel_order', p_idempotency_key);
  end if;
  return v_answer::json;
end
$$;
