-- Trigger: what a new status of orders brings with it, whoever changes it, and exactly once: the row is locked, the
-- transitions end in final statuses, and an order ends in one statement only.
--
--   to paid        the codes of its digital products are delivered
--   to cancelled,  wallet money goes back to the wallet, money by card has to go back by its provider (refund_due), the
--   expired,       promo use to the code, stock to the shelf, codes that nobody has seen to the free ones
--   refunded
--
-- It leaves the session in which it is picked and packed, if it is in one.
--
-- What lines have given back before (public.refund_order_lines) does not come back again.
--
-- What does not come back by itself:
--   * a delivered code: the buyer has seen it, so it stays with the order and is not sold again (it cannot be read any
--     more, either);
--   * stock of an order that was shipped or delivered: the goods have left. Book them in when they are back, with
--     public.adjust_stock;
--   * money paid by bank transfer or in cash: the shop pays it back itself;
--   * wallet money that the shop has given back itself (orders.refunded_outside). For an account that was deleted that is
--     the only way: such an order does not end otherwise.
--
-- Callers: trigger orders_settle, once for each statement.
-- Locks: the orders are locked by the statement; then what interlock.leave_sessions locks; wallets by user, payments of the orders, promo as interlock.return_promos says, stock rows
--   by id, codes of the orders.
-- Errors: WALLET_OWNER_GONE (interlock.give_back), STOCK_LIMIT_EXCEEDED (interlock.return_stock); 55P03 after lock_timeout.
-- Security definer: whoever may change an order need not have rights on the rest.
create function interlock.settle_orders()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_paid uuid[];
  v_ended uuid[];
  v_order interlock.orders;
begin
  -- Grouped, not joined: this plan is made for the first statement of a session, mostly of a few rows, and must also do for
  -- one that changes all.
  select
    array_agg(c.id) filter (where c.new_status = 'paid'),
    array_agg(c.id order by c.id) filter (where c.new_status <> 'paid')
  into v_paid, v_ended
  from (
    select u.id, max(u.new_status) as new_status
    from (
      select n.id, n.status as new_status, null as old_status from new_rows n
      union all
      select o.id, null, o.status from old_rows o
    ) u
    group by u.id
    having max(u.new_status) <> max(u.old_status)
  ) c
  where c.new_status in ('paid', 'cancelled', 'expired', 'refunded');

  if v_paid is not null then
    update interlock.product_codes c
    set used_at = interlock.clock()
    where c.order_id = any (v_paid)
      and c.used_at is null;
  end if;

  if v_ended is null then
    return null;
  end if;
  perform interlock.leave_sessions(v_ended);

  for v_order in
    select o.*
    from interlock.orders o
    where o.id = any (v_ended)
      and (o.paid_at is not null or o.wallet_amount > 0)
      and not o.refunded_outside
    order by o.user_id, o.id
  loop
    perform interlock.give_back(v_order, v_order.total - v_order.refunded, 'order_' || v_order.status);
  end loop;

  -- Of money that never was the order's, and that staff have begun to give back, all goes back.
  update interlock.payments p
  set refund_asked = p.amount,
      status = case when p.refunded < p.amount then 'refund_due' else 'refunded' end
  from interlock.orders o
  where p.order_id = any (v_ended)
    and p.status in ('refund_due', 'refunded')
    and p.flag is not null
    and o.id = p.order_id
    and not o.refunded_outside;

  perform interlock.return_promos(v_ended);

  perform interlock.lock_stock(array(
    select i.product_id from interlock.order_items i where i.order_id = any (v_ended) and not i.untracked
    union
    select c.product_id from interlock.product_codes c where c.order_id = any (v_ended)
  ));

  for v_order in
    select o.*
    from interlock.orders o
    where o.id = any (v_ended)
    order by o.id
  loop
    perform interlock.return_stock(
      array_agg(r.product_id), array_agg(r.on_shelf), 'order_' || v_order.status, v_order.id
    )
    from interlock.order_rest(v_order.id) r
    where r.on_shelf > 0
      and not r.untracked
    having count(*) > 0;

    perform interlock.set_ledger_context('order_' || v_order.status, v_order.id);
    update interlock.product_codes c
    set order_id = null
    where c.order_id = v_order.id
      and c.used_at is null;
    perform interlock.set_ledger_context(null, null);
  end loop;

  return null;
end
$$;
