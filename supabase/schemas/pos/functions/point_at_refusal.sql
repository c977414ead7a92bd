-- A refusal of a sale as problems of its request, each with its pointer, words and code (but for VALIDATION_FAILED, which tells them itself), and
-- of the details what is about it.
--
-- Callers: interlock.find_sale_refusals.
-- Locks: none.
create function interlock.point_at_refusal(
  p_code text,
  p_detail jsonb,
  p_request jsonb,
  p_currency text,
  p_limit numeric,
  p_look interlock.sale_look,
  p_back_look interlock.sale_look
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_details constant jsonb := p_detail - array['message', 'retryable'];
  v_problems jsonb;
begin
  if p_code = 'VALIDATION_FAILED' then
    return v_details -> 'problems';
  end if;

  -- Of lines, those that it is about.
  select jsonb_agg(
    jsonb_build_object(
      'pointer', a.list || '/' || a.n - 1 || a.member, 'code', p_code, 'message', p_detail -> 'message', 'details', v_details || a.details
    )
    order by a.list, a.n
  )
  into v_problems
  from (
    select w.list, l.n, m.member, m.details
    from (values
      ('/lines', p_request -> 'lines', p_look),
      ('/returns', p_request -> 'returns', p_back_look)
    ) as w (list, items, look)
    cross join lateral rows from (
      jsonb_to_recordset(w.items) as (inventory_id uuid, product_id uuid, barcode text, sale_id uuid, line int),
      unnest((w.look).product_ids), unnest((w.look).subtotals), unnest((w.look).discounts)
    ) with ordinality as l (inventory_id, asked_id, barcode, sale_id, line, product_id, subtotal, discount, n)
    cross join lateral (
      select case
        when l.barcode is not null then '/barcode'
        when l.inventory_id is not null then '/inventory_id'
        else '/product_id'
      end as member
    ) named
    cross join lateral (
      select named.member, jsonb_build_object('barcodes', jsonb_build_array(l.barcode)) as details
      where p_code = 'BARCODE_NOT_FOUND' and v_details -> 'barcodes' ? l.barcode
      union all
      select named.member, jsonb_build_object('inventory_ids', jsonb_build_array(l.inventory_id))
      where p_code in ('INVENTORY_NOT_FOUND', 'STOCK_ELSEWHERE') and v_details -> 'inventory_ids' ? l.inventory_id::text
      union all
      select named.member, jsonb_build_object('product_ids', jsonb_build_array(l.product_id))
      where p_code = 'PRODUCT_NOT_FOUND' and v_details -> 'product_ids' ? l.product_id::text
      union all
      select named.member, '{}'
      from interlock.products p
      where p_code = 'MIXED_CURRENCIES' and p.id = l.product_id and p.currency <> p_currency
      union all
      select '/discount', '{}'
      where p_code = 'DISCOUNT_NOT_ALLOWED' and 100 * l.discount > p_limit * greatest(l.subtotal, 1)
      union all
      select '/quantity', jsonb_build_object('shortages', jsonb_build_array(s.shortage))
      from jsonb_array_elements(v_details -> 'shortages') as s (shortage)
      where w.list = '/lines'
        and s.shortage ->> 'product_id' = l.product_id::text
        and l.n = array_position(p_look.product_ids, l.product_id)
      union all
      select '/quantity', jsonb_build_object('lines', jsonb_build_array(e.line))
      from jsonb_array_elements(v_details -> 'lines') as e (line)
      where p_code = 'RETURN_EXCEEDS_SOLD' and w.list = '/returns' and (e.line ->> 'line')::int = l.line
    ) m
  ) a;
  if v_problems is not null then
    return v_problems;
  end if;

  return (
    select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'pointer', t.pointer, 'code', p_code, 'message', p_detail -> 'message', 'details', nullif(v_details, '{}')
    )))
    from (
      select case
        when p_code = 'REGISTER_NOT_FOUND' then '/register_id'
        when p_code in ('SHIFT_NOT_OPEN', 'SHIFT_NOT_FOUND') then case when p_request ? 'shift_id' then '/shift_id' else '/register_id' end
        when p_code in ('SALE_NOT_FOUND', 'SALE_VOIDED') then '/returns/0/sale_id'
        when p_code in ('RETURN_NOT_ALLOWED', 'STOCK_LIMIT_EXCEEDED', 'MIXED_CURRENCIES') then '/returns'
        when p_code in ('CUSTOMER_NOT_FOUND', 'CUSTOMERS_DIFFER') then '/customer'
        when p_code like 'PROMO\_%' then '/promo_code'
        when p_code like 'PARKED\_SALE\_%' then '/parked_sale_id'
        when p_code = 'APPROVAL_NOT_FOUND' then '/approval_id'
        when p_code = 'PRICE_CHANGED' then '/expected_total'
        when p_code in ('UNDERPAID', 'OVERPAID', 'REFUND_EXCEEDS_PAID') then '/tenders'
        when p_code not in ('TENDER_REFERENCE_USED', 'INSUFFICIENT_POINTS', 'INSUFFICIENT_FUNDS', 'CURRENCY_MISMATCH') then ''
      end as pointer
      union all
      select '/tenders/' || t.n - 1 || case p_code when 'TENDER_REFERENCE_USED' then '/reference' else '' end
      from rows from (jsonb_to_recordset(p_request -> 'tenders') as (type text, reference text))
        with ordinality as t (type, reference, n)
      where case p_code
        when 'TENDER_REFERENCE_USED' then v_details -> 'references' ? t.reference
        when 'INSUFFICIENT_POINTS' then t.type = 'points'
        when 'INSUFFICIENT_FUNDS' then t.type = 'wallet'
        when 'CURRENCY_MISMATCH' then t.type = 'wallet'
        else false
      end
    ) t
    where t.pointer is not null
  );
end
$$;
