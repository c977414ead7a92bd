-- Check what an order has become, and write its history: one trigger for both, as each costs every sale a call. A new order that waits for its
-- payment or its shop, as most do, is asked only whether it has any time that it must not have.
--
-- Callers: trigger orders_record_event.
-- Locks: none beyond the rows it inserts.
-- Errors: 23514 check_violation with constraint name orders_discount_within_subtotal, orders_total_adds_up,
--   orders_payment_deadline_matches_status or orders_times_match_status (a bug or the shop's own SQL; never an answer to a buyer).
-- Security definer: nobody has insert on order_events.
create function interlock.record_order_event()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_broken text;
begin
  if new.total is distinct from new.subtotal - new.discount + new.shipping + new.tax - new.tax_included
    or greatest(new.refunded, new.wallet_amount) > new.total
  then
    v_broken := 'orders_total_adds_up';
  elsif new.discount > new.subtotal then
    v_broken := 'orders_discount_within_subtotal';
  -- Only an order whose proof the shop may decide whenever it likes (settings.review_window is null) waits without a deadline.
  elsif not (case new.status
    when 'confirmed' then new.payment_method = 'cash_on_delivery'
    when 'pending_payment' then
      new.payment_method in ('bank_transfer', 'card') and num_nonnulls(new.payment_expires_at, new.proof_submitted_at) > 0
    when 'expired' then new.payment_method <> 'wallet'
    else true
  end) then
    v_broken := 'orders_payment_deadline_matches_status';
  elsif (
    new.status not in ('pending_payment', 'confirmed') or new.fulfillment <> 'unfulfilled'
    or num_nonnulls(new.paid_at, new.fulfilled_at, new.cancelled_at, new.refunded_at, new.shipped_at) > 0
  ) and not interlock.order_times_match(
    new.status, new.paid_at, new.fulfilled_at, new.cancelled_at, new.refunded_at, new.fulfillment, new.shipped_at
  ) then
    v_broken := 'orders_times_match_status';
  end if;
  if v_broken is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = v_broken,
      message = format('order %s violates %s', new.id, v_broken);
  end if;

  if tg_op = 'INSERT' or new.status <> old.status then
    insert into interlock.order_events (order_id, event, actor)
    values (new.id, new.status, auth.uid());
  elsif new.fulfillment <> old.fulfillment then
    insert into interlock.order_events (order_id, event, actor, tracking)
    values (new.id, new.fulfillment, auth.uid(), new.tracking);
  -- A further part writes its own: interlock.ship_order_lines.
  elsif new.tracking is distinct from old.tracking and new.fulfillment <> 'partly_shipped' then
    insert into interlock.order_events (order_id, event, actor, tracking)
    values (new.id, 'tracking_changed', auth.uid(), new.tracking);
  elsif new.user_id <> old.user_id then
    insert into interlock.order_events (order_id, event, actor)
    values (new.id, 'moved', auth.uid());
  elsif new.proof_submitted_at is distinct from old.proof_submitted_at then
    insert into interlock.order_events (order_id, event, actor)
    values (
      new.id,
      case when new.proof_submitted_at is null then 'proof_rejected' else 'proof_submitted' end,
      auth.uid()
    );
  end if;
  return null;
end
$$;
