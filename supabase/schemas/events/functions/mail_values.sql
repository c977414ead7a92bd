-- What there is to say of an order in a mail, by the placeholders of interlock.mail_placeholders but `lines`; what is not the
-- case is left out. p_event_type and p_at are the event's: they tell which parcel or refund it is about.
--
-- Callers: interlock.render_mail.
-- Locks: none.
create function interlock.mail_values(
  p_order interlock.orders, p_kind text, p_language text, p_event_type text, p_at timestamptz
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_words constant jsonb := interlock.mail_words(p_language);
  v_settings constant interlock.settings := (select s from interlock.settings s);
  v_mail constant interlock.mail_settings := (select m from interlock.mail_settings m);
  v_due constant bigint := p_order.total - p_order.refunded - p_order.wallet_amount;
  v_refund interlock.order_refunds;
  v_amount bigint;
  v_is_open constant boolean := p_order.status in ('pending_payment', 'confirmed');
begin
  if p_kind = 'order_refunded' then
    if p_event_type = 'order.lines_refunded' then
      select r.* into v_refund
      from interlock.order_refunds r
      where r.order_id = p_order.id and r.created_at <= p_at
      order by r.id desc
      limit 1;
      v_amount := v_refund.amount;
    else
      v_amount := p_order.total - p_order.refunded;
      v_refund.paid := true;
      v_refund.to_wallet := case when p_order.payment_method = 'wallet' then 1 else p_order.wallet_amount end;
      v_refund.to_card := case when p_order.payment_method = 'card' then 1 else 0 end;
    end if;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'shop', coalesce(v_settings.shop_name, btrim(substring(v_mail.sender from '^(.*)<')), split_part(v_mail.sender, '@', 2), 'Shop'),
    'order_number', p_order.number,
    'order_date', to_char(p_order.created_at at time zone v_settings.shop_time_zone, v_words ->> 'day'),
    'total', interlock.format_money(p_order.total - p_order.refunded, p_order.currency, p_language),
    'paid_by', case when p_order.paid_at is not null then v_words ->> p_order.payment_method::text end,
    'transfer_until', case when v_is_open and p_order.payment_method = 'bank_transfer' then
      interlock.format_money(v_due, p_order.currency, p_language)
        || case p_language when 'de' then ' bis ' else ' by ' end
        || to_char(p_order.payment_expires_at at time zone v_settings.shop_time_zone, v_words ->> 'date')
    end,
    'cash_due', case when v_is_open and p_order.payment_method = 'cash_on_delivery' then
      interlock.format_money(v_due, p_order.currency, p_language)
    end,
    'tracking', case when p_kind = 'order_shipped' then coalesce(
      (
        select s.tracking
        from interlock.order_shipments s
        where s.order_id = p_order.id and s.created_at <= p_at
        order by s.id desc
        limit 1
      ),
      p_order.tracking
    ) end,
    'items_left', case when p_event_type = 'order.partly_shipped' then interlock.format_number((
      select nullif(greatest(0, sum(i.quantity) - (
        select coalesce(sum(x.quantity), 0)
        from interlock.order_shipment_items x
        join interlock.order_shipments s on s.id = x.shipment_id
        where x.order_id = p_order.id and s.created_at <= p_at
      ) - (
        select coalesce(sum(x.quantity), 0) from interlock.order_refund_items x where x.order_id = p_order.id
      )), 0)
      from interlock.order_items i
      where i.order_id = p_order.id
        and i.kind = 'physical'
    ), p_language) end,
    'refund', case when v_refund.paid and v_amount > 0 then interlock.format_money(v_amount, p_order.currency, p_language) end,
    'refunded_to', case when v_refund.paid and v_amount > 0 then nullif(concat_ws(', ',
      case when v_refund.to_card > 0 then v_words ->> 'card' end,
      case when v_refund.to_wallet > 0 then v_words ->> 'wallet' end
    ), '') end,
    'reduction', case when not v_refund.paid and v_amount > 0 then interlock.format_money(v_amount, p_order.currency, p_language) end,
    'new_total', case when not v_refund.paid and v_amount > 0 then
      interlock.format_money(p_order.total - p_order.refunded, p_order.currency, p_language)
    end,
    'order_url', replace(v_mail.order_url, '{order_id}', p_order.id::text)
  ));
end
$$;
