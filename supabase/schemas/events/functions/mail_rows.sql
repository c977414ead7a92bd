-- The table of a mail, in the styles of interlock.receipt_rows: what was ordered and what it costs, what is in a parcel, or what
-- was refunded. A reminder has none.
--
-- Callers: interlock.render_mail.
-- Locks: none.
create function interlock.mail_rows(
  p_order interlock.orders, p_kind text, p_language text, p_event_type text, p_at timestamptz
)
returns table (n bigint, style text, o_left text, o_right text)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  with words as (select interlock.mail_words(p_language) as words),
  lines as (
    select
      i.*, row_number() over (order by i.name, i.product_id) as place,
      nullif(i.quantity, 1) as several
    from interlock.order_items i
    where i.order_id = p_order.id
      and p_kind in ('order_confirmed', 'payment_received')
  ),
  parcel as (
    select s.id
    from interlock.order_shipments s
    where s.order_id = p_order.id
      and s.created_at <= p_at
      and p_kind = 'order_shipped'
    order by s.id desc
    limit 1
  ),
  refund as (
    select r.*
    from interlock.order_refunds r
    where r.order_id = p_order.id
      and r.created_at <= p_at
      and p_kind = 'order_refunded'
      and p_event_type = 'order.lines_refunded'
    order by r.id desc
    limit 1
  ),
  rows (part, place, style, o_left, amount, o_right) as (
    select
      1, l.place * 3, 'row', l.name, case when l.several is null then l.quantity * l.unit_price end, null::text
    from lines l
    union all
    select
      1, l.place * 3 + 1, 'detail',
      format('%s x %s', l.several, interlock.format_amount(l.unit_price, p_order.currency, p_language)),
      l.quantity * l.unit_price, null
    from lines l
    where l.several is not null
    union all
    select 1, l.place * 3 + 2, 'detail', w.words ->> 'discount', -l.discount, null
    from lines l
    cross join words w
    where l.discount > 0
    union all
    select 2, 0, 'row', w.words ->> 'shipping', p_order.shipping, null
    from words w
    where p_order.shipping > 0
      and exists (select from lines)
    union all
    select
      case when t.inclusive then 5 else 3 end, row_number() over (order by t.percent), 'detail',
      format(
        t.words ->> case when t.inclusive then 'tax_in' else 'tax_on' end,
        interlock.format_number(trim_scale(t.percent), p_language), interlock.format_amount(t.base, p_order.currency, p_language)
      ),
      t.tax, null
    from (
      select
        w.words, l.tax_percent as percent, l.tax_inclusive as inclusive, sum(l.tax)::bigint as tax,
        sum(l.quantity * l.unit_price - l.discount)::bigint as base
      from lines l
      cross join words w
      where l.tax > 0
        and l.tax_percent is not null
      group by w.words, l.tax_percent, l.tax_inclusive
    ) t
    union all
    select 4, 0, 'total', w.words ->> 'total', p_order.total, null
    from words w
    where exists (select from lines)
    union all
    select 4, 1, 'detail', w.words ->> 'wallet_part', p_order.wallet_amount, null
    from words w
    where p_order.wallet_amount > 0
      and exists (select from lines)
    union all
    select 1, row_number() over (order by i.name, i.product_id), 'row', i.name, null, format('%s x', x.quantity)
    from parcel p
    join interlock.order_shipment_items x on x.shipment_id = p.id
    join interlock.order_items i on i.order_id = x.order_id and i.product_id = x.product_id
    union all
    select
      1, row_number() over (order by i.name, i.product_id), 'row',
      case when x.quantity = 1 then i.name else format('%s x %s', x.quantity, i.name) end, x.amount, null
    from refund r
    join interlock.order_refund_items x on x.refund_id = r.id
    join interlock.order_items i on i.order_id = x.order_id and i.product_id = x.product_id
    union all
    select 2, 0, 'row', w.words ->> 'shipping', r.shipping, null
    from refund r
    cross join words w
    where r.with_shipping
      and r.shipping > 0
    union all
    select 4, 0, 'total', w.words ->> 'refund', r.amount, null
    from refund r
    cross join words w
  )
  select
    row_number() over (order by r.part, r.place), r.style, r.o_left,
    coalesce(
      r.o_right,
      case r.style
        when 'total' then interlock.format_money(r.amount, p_order.currency, p_language)
        else interlock.format_amount(r.amount, p_order.currency, p_language)
      end
    )
  from rows r;
end
$$;
