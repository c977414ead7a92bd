-- The rows of a receipt, whatever it is printed as: a style, what stands on the left (or in the middle), and on the right.
--
--   title, centre  in the middle
--   banner         in the middle, and not to be overlooked
--   row            left and right
--   detail         below a row, which it says more of
--   total          what there is to pay
--   rule           between two parts
--
-- Callers: interlock.sale_receipt.
-- Locks: none.
-- Not compiled (jit): its steps are expected to give far more than they do, and on Postgres 15 compiling took seconds.
create function interlock.receipt_rows(p_sale_id uuid, p_language text)
returns table (n bigint, style text, o_left text, o_right text)
language sql
stable
set search_path = ''
set jit = off
as $$
  with sale as (
    select
      s.*, r.name as till, interlock.receipt_label(r.receipt_prefix, s.receipt_number) as receipt, l.name as location,
      interlock.receipt_words(p_language) as words, g.shop_name, g.shop_address, g.shop_tax_id, g.shop_time_zone, g.receipt_footer
    from interlock.sales s
    join interlock.registers r on r.id = s.register_id
    join interlock.locations l on l.id = s.location_id
    cross join interlock.settings g
    where s.id = p_sale_id
  ),
  lines as (
    select
      l.line, l.name, l.quantity, l.unit_price, l.subtotal, l.discount, l.discount_reason, l.promo_discount,
      u.unit,
      l.quantity = 1 and u.unit is null as is_one
    from interlock.sale_lines l
    left join interlock.products u on u.id = l.product_id and u.unit <> 'piece'
    where l.sale_id = p_sale_id
  ),
  taxes as (
    select
      l.tax_percent as percent, l.tax_inclusive as inclusive, sum(l.tax)::bigint as tax,
      sum(l.subtotal - l.discount - l.promo_discount)::bigint as base
    from interlock.sale_lines l
    where l.sale_id = p_sale_id
      and l.tax_percent is not null
    group by l.tax_percent, l.tax_inclusive
  ),
  rows (part, place, style, o_left, amount, o_right) as (
    select 1, 0::bigint, 'title', coalesce(s.shop_name, s.location), null::bigint, null::text from sale s
    union all
    select 2, a.n, 'centre', a.line, null, null
    from sale s
    cross join string_to_table(s.shop_address, E'\n') with ordinality as a (line, n)
    union all
    select 3, 0, 'centre', concat_ws(' ', s.words ->> 'tax_id', s.shop_tax_id), null, null from sale s where s.shop_tax_id is not null
    union all
    select 4, 0, 'rule', null, null, null
    union all
    select v.part, 0, 'banner', s.words ->> 'void', null, null
    from sale s
    cross join (values (5), (20)) as v (part)
    where s.status = 'voided'
    union all
    select
      6, 0, 'row', concat_ws(' ', s.words ->> 'receipt', s.receipt), null,
      to_char(s.sold_at at time zone s.shop_time_zone, s.words ->> 'date')
    from sale s
    union all
    select 7, 0, 'row', concat_ws(' ', s.words ->> 'till', s.till), null, null from sale s
    union all
    select 7, 1, 'row', concat_ws(' ', s.words ->> 'customer', c.name), null, null
    from sale s
    join interlock.customers o on o.id = s.customer_id
    join interlock.customers c on c.id = coalesce(o.merged_into, o.id) and c.name is not null
    union all
    select 8, 0, 'rule', null, null, null
    union all
    select 9, l.line * 4, 'row', l.name, case when l.is_one then l.subtotal end, null from lines l
    union all
    select
      9, l.line * 4 + 1, 'detail',
      concat_ws(
        ' ', interlock.format_number(trim_scale(l.quantity), p_language), l.unit, 'x',
        interlock.format_amount(l.unit_price, s.currency, p_language)
      ),
      l.subtotal, null
    from sale s
    cross join lines l
    where not l.is_one
    union all
    select 9, l.line * 4 + 2, 'detail', concat_ws(': ', s.words ->> 'discount', l.discount_reason), -l.discount, null
    from sale s
    cross join lines l
    where l.discount > 0
    union all
    select 9, l.line * 4 + 3, 'detail', concat_ws(' ', s.words ->> 'promo', s.promo_code), -l.promo_discount, null
    from sale s
    cross join lines l
    where l.promo_discount > 0
    union all
    select 9, 1000 + b.n * 2, 'row', b.name, null, null from interlock.sale_returns b where b.sale_id = p_sale_id
    union all
    select
      9, 1001 + b.n * 2, 'detail',
      concat_ws(
        ' ', s.words ->> 'returned', interlock.format_number(trim_scale(b.quantity), p_language), u.unit, 'x',
        interlock.format_amount(b.unit_price, s.currency, p_language)
      ),
      -b.amount, null
    from sale s
    join interlock.sale_returns b on b.sale_id = s.id
    left join interlock.products u on u.id = b.product_id and u.unit <> 'piece'
    union all
    select 10, 0, 'rule', null, null, null
    union all
    select 11, 0, 'row', s.words ->> 'subtotal', s.subtotal - s.discount - s.returned, null
    from sale s
    where s.tax > s.tax_included
    union all
    select
      case when t.inclusive then 17 else 12 end, row_number() over (order by t.percent), 'row',
      format(
        s.words ->> case when t.inclusive then 'tax_in' else 'tax_on' end,
        interlock.format_number(trim_scale(t.percent), p_language), interlock.format_amount(t.base, s.currency, p_language)
      ),
      t.tax, null
    from sale s
    cross join taxes t
    union all
    select 13, 0, 'total', concat_ws(' ', s.words ->> 'total', s.currency), s.total, null from sale s
    union all
    select 14, t.n, 'row', concat_ws(' ', s.words ->> t.type::text, t.reference),
      case when s.total < 0 then -t.amount else t.amount end, null
    from sale s
    join interlock.sale_tenders t on t.sale_id = s.id
    union all
    select 15, 0, 'row', s.words ->> 'change', s.change_due, null from sale s where s.change_due > 0
    union all
    select 16, 0, 'rule', null, null, null
    where exists (select from taxes t where t.inclusive)
      or exists (select from interlock.sale_returns b where b.sale_id = p_sale_id and b.tax > 0)
    union all
    select 17, 1000, 'row', s.words ->> 'tax_back', -sum(b.tax)::bigint, null
    from sale s
    join interlock.sale_returns b on b.sale_id = s.id
    group by s.words
    having sum(b.tax) > 0
    union all
    select 18, 0, 'rule', null, null, null from sale s where s.loyalty is not null
    union all
    select 19, v.n, 'row', s.words ->> v.name, null, interlock.format_number((s.loyalty ->> v.name)::numeric, p_language)
    from sale s
    cross join (values (1, 'earned'), (2, 'spent'), (3, 'taken_back'), (4, 'given_back'), (5, 'balance')) as v (n, name)
    where s.loyalty ->> v.name <> '0'
    union all
    select 21, 0, 'rule', null, null, null from sale s where s.receipt_footer is not null
    union all
    select 22, f.n, 'centre', f.line, null, null
    from sale s
    cross join string_to_table(s.receipt_footer, E'\n') with ordinality as f (line, n)
  )
  select
    row_number() over (order by r.part, r.place), r.style, r.o_left,
    coalesce(r.o_right, interlock.format_amount(r.amount, s.currency, p_language))
  from rows r
  cross join sale s
$$;
