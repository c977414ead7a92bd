-- Refuse an illegal change of an order, fill in the time a new status implies.
--
-- Callers: trigger orders_guard_change.
-- Locks: none beyond the row being updated.
-- Errors: 23514 check_violation with constraint name orders_transition_allowed, orders_fulfillment_allowed or
--   orders_terms_fixed (a bug or the shop's own SQL; never an answer to a buyer); 23001 restrict_violation with orders_open_have_buyer (an account
--   with an open order is being deleted).
create function interlock.guard_order_change()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_allowed boolean;
begin
  if (new.id, new.number, new.currency, new.subtotal, new.discount, new.shipping, new.shipping_tax, new.tax, new.tax_included, new.total, new.payment_method, new.wallet_amount, new.created_at)
      is distinct from
      (old.id, old.number, old.currency, old.subtotal, old.discount, old.shipping, old.shipping_tax, old.tax, old.tax_included, old.total, old.payment_method, old.wallet_amount, old.created_at)
    or new.shipping_method is distinct from old.shipping_method
    or new.promo_code_id is distinct from old.promo_code_id
    or new.refunded < old.refunded
    or (
      new.user_id is distinct from old.user_id
      and new.user_id is not null
      -- Only with all that is theirs: interlock.move_guest.
      and current_setting('interlock.moving', true) is distinct from 'on'
    )
  then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'orders_terms_fixed',
      message = format('number, owner, amounts and payment method of order %s cannot change', old.id);
  end if;

  if new.user_id is null and old.user_id is not null and interlock.is_owed_order(new.status) then
    raise exception using
      errcode = 'restrict_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'orders_open_have_buyer',
      message = format('order %s of user %s is open (%s)', old.id, old.user_id, new.status),
      hint = 'End it first: hand it over, cancel it or refund it. erase_user(id) lists all that stands in the way of a removal.';
  end if;

  if new.status = 'fulfilled' and old.status <> 'fulfilled' then
    new.fulfillment := 'delivered';
  end if;
  if new.fulfillment <> old.fulfillment then
    if not (case new.fulfillment
      when 'processing' then old.fulfillment = 'unfulfilled' and new.status in ('confirmed', 'paid')
      when 'partly_shipped' then old.fulfillment in ('unfulfilled', 'processing') and new.status in ('confirmed', 'paid')
      when 'shipped' then
        old.fulfillment in ('unfulfilled', 'processing', 'partly_shipped') and new.status in ('confirmed', 'paid')
      when 'delivered' then new.status = 'fulfilled'
      else false
    end) then
      raise exception using
        errcode = 'check_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        constraint = 'orders_fulfillment_allowed',
        message = format('the goods of order %s cannot go from %s to %s', old.id, old.fulfillment, new.fulfillment),
        hint = 'docs/api.md has the states of an order.';
    end if;
    if new.fulfillment = 'shipped' then
      new.shipped_at := coalesce(new.shipped_at, interlock.clock());
    end if;
  end if;

  if new.status = old.status then
    return new;
  end if;

  v_allowed := case old.status
    when 'pending_payment' then new.status in ('paid', 'cancelled', 'expired')
    when 'confirmed' then
      new.status in ('paid', 'cancelled') or (new.status = 'expired' and old.fulfillment = 'unfulfilled')
    when 'paid' then
      new.status in ('fulfilled', 'refunded') or (new.status = 'cancelled' and old.fulfillment not in ('partly_shipped', 'shipped'))
    when 'fulfilled' then new.status = 'refunded'
    -- Only what is taken again with it: interlock.retake_order.
    when 'expired' then
      new.status in ('pending_payment', 'confirmed')
      and current_setting('interlock.reopening', true) is not distinct from 'on'
    when 'cancelled' then
      new.status in ('pending_payment', 'confirmed')
      and old.paid_at is null
      and current_setting('interlock.reopening', true) is not distinct from 'on'
    else false
  end;

  if not v_allowed then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'orders_transition_allowed',
      message = format('order %s cannot go from %s to %s', old.id, old.status, new.status),
      hint = 'docs/api.md has the table of transitions.';
  end if;

  case new.status
    when 'paid' then
      new.paid_at := coalesce(new.paid_at, interlock.clock());
    when 'fulfilled' then
      new.fulfilled_at := coalesce(new.fulfilled_at, interlock.clock());
    when 'refunded' then
      new.refunded_at := coalesce(new.refunded_at, interlock.clock());
    when 'pending_payment', 'confirmed' then
      null;
    else
      new.cancelled_at := coalesce(new.cancelled_at, interlock.clock());
  end case;

  return new;
end
$$;
