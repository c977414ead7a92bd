-- A sale as Alpine IQ takes it (POST /api/v1.1/createUpdateSale/:uid): `pos_id` is the sale's id, by which it is put and put again,
-- amounts are in major units, and what comes back has a negative quantity. A voided sale is put again with a total of 0 and
-- without lines, so that nothing of it counts.
--
-- Callers: service_role, through public.alpine_iq_sale: whoever delivers events.
-- Errors: SALE_NOT_FOUND.
-- Security definer: the service role has no rights on the functions that it uses.
create function interlock.alpine_iq_sale(p_sale_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_answer jsonb;
begin
  select jsonb_build_object('visit', jsonb_strip_nulls(jsonb_build_object(
    'pos_id', s.id,
    'pos_user', coalesce(c.merged_into, c.id),
    'pos_type', 'in-store',
    'transaction_date', to_char(s.sold_at, 'YYYY-MM-DD HH24:MI:SS +0000'),
    'transaction_total', case s.status when 'voided' then 0 else trim_scale(s.total / m.minor) end,
    'location', l.name,
    'visit_details_attributes', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'sku', coalesce((
          select min(b.barcode) from interlock.product_barcodes b where b.product_id = i.product_id and b.units = 1
        ), i.product_id::text),
        'name', i.name,
        'price', trim_scale(i.unit_price / m.minor),
        'quantity', trim_scale(i.quantity),
        'category', p.loyalty_class,
        'discount', trim_scale(i.discount / m.minor)
      ) order by i.came_back, i.n), '[]')
      from (
        select
          false as came_back, l.line as n, l.product_id, l.name, l.unit_price::numeric, l.quantity::numeric,
          (l.discount + l.promo_discount)::numeric as discount
        from interlock.sale_lines l
        where l.sale_id = s.id
        union all
        -- Of what was taken off when it was sold, its share comes back, too.
        select
          true, r.n, r.product_id, r.name, r.unit_price, -r.quantity,
          case when o.sale_id is null then 0 else
            r.amount - case when o.tax_inclusive then 0 else r.tax end - floor(r.quantity * r.unit_price + 0.5)
          end
        from interlock.sale_returns r
        left join interlock.sale_lines o on o.sale_id = r.original_sale_id and o.line = r.original_line
        where r.sale_id = s.id
      ) i
      left join interlock.products p on p.id = i.product_id
      where s.status <> 'voided'
    )
  )))
  into v_answer
  from interlock.sales s
  join interlock.locations l on l.id = s.location_id
  left join interlock.customers c on c.id = s.customer_id
  cross join lateral (select 10::numeric ^ interlock.currency_decimals(s.currency) as minor) m
  where s.id = p_sale_id;
  if v_answer is null then
    perform interlock.raise_error('SALE_NOT_FOUND', jsonb_build_object('sale_id', p_sale_id));
  end if;
  return v_answer;
end
$$;
