-- What public.store_card_payment does, with its owner's rights: the provider's own id of an attempt, once. It is there to
-- be found again; whose money an event tells of is read from what the provider has signed, never from here, so a buyer
-- who stores something else harms nobody but themselves.
--
-- p_canceled says that the attempt is given up, so that the next call of begin_card_payment makes another: the provider has
-- canceled it, or has only failures to tell of it, and then it has no id.
--
-- Callers: authenticated and service_role, through public.store_card_payment, of the function payment-intent.
-- Locks: the buyer's account, the order; two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, PAYMENT_NOT_FOUND (also for somebody else's); 55P03 is transient.
-- Security definer: nobody has the right to write payments.
create function interlock.store_card_payment(p_payment_id uuid, p_provider_id text, p_canceled boolean)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_order_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.require_user();
  if not (p_provider_id is null and p_canceled)
    and (p_provider_id ~ '^pi_[A-Za-z0-9_]+$' and char_length(p_provider_id) <= 255) is not true
  then
    perform interlock.refuse_problems(interlock.problem('/p_provider_id', 'must be the id of a PaymentIntent, as pi_…'));
  end if;

  select o.id into v_order_id
  from interlock.payments p
  join interlock.orders o on o.id = p.order_id
  where p.id = p_payment_id
    and o.user_id = v_user_id;
  if v_order_id is null then
    perform interlock.raise_error('PAYMENT_NOT_FOUND', jsonb_build_object('payment_id', p_payment_id));
  end if;

  perform interlock.lock_order(v_order_id);
  update interlock.payments p
  set provider_id = coalesce(p_provider_id, p.provider_id),
      status = case when p_canceled then 'canceled' else p.status end
  where p.id = p_payment_id
    and p.status = 'open'
    and (p.provider_id is null or p.provider_id = p_provider_id);

  return jsonb_build_object('success', true);
end
$$;
