-- The payment that an event is about: the attempt that its metadata names, or the one that has the provider's id.
-- An attempt whose money is here has no room for other money: the provider keeps its idempotency keys for a day only, so
-- two of its payments may name one attempt. Money that has been counted is found whatever it names now. All nulls if
-- there is none.
--
-- Callers: interlock.apply_payment_event, with the order locked.
-- Locks: none; the payments of an order change under the order's lock only.
create function interlock.take_payment(p_provider text, p_object jsonb, p_order_id uuid)
returns interlock.payments
language plpgsql
set search_path = ''
as $$
declare
  v_provider_id constant text := p_object ->> 'id';
  v_payment_id constant uuid := interlock.to_uuid(p_object #>> '{metadata,payment_id}');
  v_payment interlock.payments;
begin
  select p.* into v_payment
  from interlock.payments p
  where (p.provider, p.provider_id) = (p_provider, v_provider_id)
    and p.succeeded_at is not null;
  if found then
    return v_payment;
  end if;

  select p.* into v_payment
  from interlock.payments p
  where p.order_id = p_order_id
    and p.provider = p_provider
    and p.succeeded_at is null
    and (p.provider_id = v_provider_id or p.id = v_payment_id)
  order by p.id = v_payment_id desc nulls last
  limit 1;
  return v_payment;
end
$$;
