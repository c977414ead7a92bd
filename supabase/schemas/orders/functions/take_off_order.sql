-- Take units of lines, and the shipping, off an order, as public.refund_order_lines says: before it is paid it costs less by that, after
-- that the money goes back. Answers the refund.
--
-- Callers: interlock.refund_order_lines; interlock.complete_box, of what could not be packed.
-- Locks: the account of the buyer and the order; what interlock.need_less locks; the counter of their open orders; the wallet; the
--   payment; then, if it is the last part, as interlock.settle_orders; stock rows by id, codes of the order.
-- Errors: ORDER_NOT_FOUND, ORDER_STATE_CONFLICT (the order has ended), REFUND_EXCEEDS_ORDER, WALLET_OWNER_GONE,
--   STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.take_off_order(
  p_order_id uuid,
  p_lines jsonb,
  p_reason text,
  p_restock boolean,
  p_shipping boolean,
  p_outside boolean
)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
  v_refund interlock.order_refunds;
  v_lines interlock.order_refund_items[];
  v_excess jsonb;
  v_shipping bigint;
  v_units int;
  v_all boolean;
  v_free boolean;
  v_sent boolean;
  v_reason text;
begin
  if interlock.lock_order(p_order_id) is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  if v_order.status not in ('pending_payment', 'confirmed', 'paid', 'fulfilled') then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  -- What can still be refunded.
  select case when exists (
    select from interlock.order_refunds r where r.order_id = p_order_id and r.with_shipping
  ) then 0 else v_order.shipping end
  into v_shipping;
  select jsonb_agg(
    jsonb_build_object('product_id', w.product_id, 'requested', w.quantity, 'refundable', f.units)
    order by w.product_id
  )
  into v_excess
  from jsonb_to_recordset(p_lines) as w (product_id uuid, quantity numeric, shipped boolean)
  left join interlock.order_rest(p_order_id) r on r.product_id = w.product_id
  cross join lateral (
    select coalesce(
      case w.shipped when true then r.quantity - r.on_shelf when false then r.on_shelf else r.quantity end, 0
    ) as units
  ) f
  where w.quantity > f.units;
  if v_excess is not null or (p_shipping and v_shipping = 0) then
    perform interlock.raise_error('REFUND_EXCEEDS_ORDER', jsonb_build_object(
      'order_id', p_order_id, 'lines', coalesce(v_excess, '[]'), 'shipping', v_shipping
    ));
  end if;

  v_refund.id := interlock.new_id();
  v_refund.order_id := p_order_id;
  v_refund.paid := v_order.paid_at is not null;
  v_refund.reason := p_reason;
  v_refund.actor := auth.uid();
  v_refund.created_at := interlock.clock();

  select
    array_agg(jsonb_populate_record(null::interlock.order_refund_items, jsonb_build_object(
      'order_id', p_order_id,
      'product_id', u.product_id,
      'first_unit', u.first_unit,
      'refund_id', v_refund.id,
      'quantity', u.units,
      'from_shelf', u.from_shelf,
      'restocked', case
        when u.kind = 'digital' then case when v_refund.paid then 0 else u.units end
        when u.untracked then 0
        when u.restock is null then u.from_shelf
        when u.restock then u.units
        else 0
      end,
      'subtotal', t.o_subtotal - b.o_subtotal,
      'discount', t.o_discount - b.o_discount,
      'tax', t.o_tax - b.o_tax,
      'tax_included', t.o_tax_included - b.o_tax_included,
      'amount', t.o_amount - b.o_amount
    ))),
    coalesce(sum(u.units), 0),
    coalesce(sum(t.o_subtotal - b.o_subtotal), 0),
    coalesce(sum(t.o_discount - b.o_discount), 0),
    coalesce(sum(t.o_tax - b.o_tax), 0),
    coalesce(sum(t.o_tax_included - b.o_tax_included), 0)
  into v_lines, v_units, v_refund.subtotal, v_refund.discount, v_refund.tax, v_refund.tax_included
  from (
    select
      i.product_id, i.kind, i.untracked, i.quantity::int as bought, i.unit_price, i.discount, i.tax, i.tax_inclusive,
      w.quantity::int as units,
      coalesce(w.restock, p_restock) as restock,
      i.quantity - r.quantity + 1 as first_unit,
      case when w.shipped then 0 else least(w.quantity, r.on_shelf) end::int as from_shelf
    from jsonb_to_recordset(p_lines) as w (product_id uuid, quantity numeric, restock boolean, shipped boolean)
    join interlock.order_items i on i.order_id = p_order_id and i.product_id = w.product_id
    join interlock.order_rest(p_order_id) r on r.product_id = w.product_id
  ) u
  cross join lateral interlock.line_through(
    u.first_unit - 1, u.bought, u.unit_price, u.discount, u.tax, u.tax_inclusive
  ) b
  cross join lateral interlock.line_through(
    u.first_unit - 1 + u.units, u.bought, u.unit_price, u.discount, u.tax, u.tax_inclusive
  ) t;
  v_all := v_units > 0 and v_units = (select sum(r.quantity) from interlock.order_rest(p_order_id) r);

  v_refund.with_shipping := (v_all or p_shipping is true) and v_shipping > 0;
  v_refund.shipping := case when v_refund.with_shipping then v_shipping else 0 end;
  if v_refund.with_shipping then
    v_refund.tax := v_refund.tax + v_order.shipping_tax;
    -- What of the tax in the prices is in no line is in the shipping.
    v_refund.tax_included := v_refund.tax_included + v_order.tax_included - (
      select coalesce(sum(i.tax) filter (where i.tax_inclusive), 0)
      from interlock.order_items i
      where i.order_id = p_order_id
    );
  end if;
  v_refund.amount := v_refund.subtotal - v_refund.discount + v_refund.shipping + v_refund.tax - v_refund.tax_included;

  perform interlock.need_less(p_order_id, array_agg(l.product_id), array_agg(l.from_shelf::int))
  from unnest(v_lines) as l;

  v_reason := case when v_refund.paid then 'lines_refunded' else 'lines_cancelled' end;
  v_refund.to_wallet := 0;
  v_refund.to_card := 0;
  v_refund.by_shop := 0;
  if v_refund.paid and p_outside then
    v_refund.by_shop := v_refund.amount;
  elsif v_refund.paid or v_order.wallet_amount > 0 then
    select b.o_wallet, b.o_card, b.o_shop
    into v_refund.to_wallet, v_refund.to_card, v_refund.by_shop
    from interlock.give_back(v_order, v_refund.amount, v_reason) b;
  end if;

  insert into interlock.order_refunds select v_refund.*;
  insert into interlock.order_refund_items select l.* from unnest(v_lines) as l;
  insert into interlock.order_events (order_id, event, actor) values (p_order_id, 'lines_refunded', auth.uid());

  -- The rest of an unpaid order counts less against the limits of its buyer; not at all if it costs nothing, so that it
  -- needs no counter once it is paid below.
  v_free := not v_refund.paid and not v_all and v_order.refunded + v_refund.amount >= v_order.total - v_order.wallet_amount;
  -- Where what was still to be sent is taken off, the rest has left.
  v_sent := v_order.fulfillment = 'partly_shipped' and not v_all and not interlock.has_to_ship(p_order_id);
  update interlock.orders o
  set refunded = o.refunded + v_refund.amount,
      counted_units = case
        when v_free then null
        when v_refund.paid or v_all then o.counted_units
        else o.counted_units - v_units
      end,
      fulfillment = case when v_sent then 'shipped' else o.fulfillment end,
      status = case when not v_all then o.status when v_refund.paid then 'refunded' else 'cancelled' end
  where o.id = p_order_id;

  perform interlock.return_stock(array_agg(l.product_id), array_agg(l.restocked::int), v_reason, p_order_id)
  from unnest(v_lines) as l
  where l.restocked > 0;

  if not v_refund.paid then
    perform interlock.set_ledger_context(v_reason, p_order_id);
    update interlock.product_codes c
    set order_id = null
    where c.id = any (array(
      select k.id
      from unnest(v_lines) as l
      cross join lateral (
        select q.id
        from interlock.product_codes q
        where q.order_id = p_order_id
          and q.product_id = l.product_id
        order by q.id desc
        limit l.restocked
      ) k
    ));
    perform interlock.set_ledger_context(null, null);
  end if;

  if v_free then
    update interlock.orders o
    set status = 'paid'
    where o.id = p_order_id;
  end if;

  return v_refund.id;
end
$$;
