-- A sale as its answer shows it.
--
-- Callers: interlock.make_sale, interlock.void_sale.
-- Locks: none.
create function interlock.sale_to_json(p_sale_id uuid)
returns json
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select json_build_object(
      'id', s.id,
      'register_id', s.register_id,
      'shift_id', s.shift_id,
      'location_id', s.location_id,
      'receipt_number', s.receipt_number,
      'receipt', interlock.receipt_label(r.receipt_prefix, s.receipt_number),
      'status', s.status,
      'currency', s.currency,
      'lines', (
        select coalesce(json_agg(
          json_build_object(
            'line', l.line,
            'product_id', l.product_id,
            'inventory_id', l.inventory_id,
            'name', l.name,
            'quantity', trim_scale(l.quantity),
            'unit_price', l.unit_price,
            'subtotal', l.subtotal,
            'discount', l.discount,
            'promo_discount', l.promo_discount,
            'tax', l.tax,
            'total', l.total
          )
          order by l.line
        ), '[]')
        from interlock.sale_lines l
        where l.sale_id = s.id
      ),
      'returns', case when s.returns = 0 then json_build_array() else interlock.returns_to_json(s.id) end,
      'subtotal', s.subtotal,
      'discount', s.discount,
      'tax', s.tax,
      'tax_included', s.tax_included,
      'returned', s.returned,
      'total', s.total,
      'tenders', (
        select coalesce(
          json_agg(json_build_object('type', t.type, 'amount', t.amount, 'reference', t.reference) order by t.n), '[]'
        )
        from interlock.sale_tenders t
        where t.sale_id = s.id
      ),
      'change_due', s.change_due,
      'customer', interlock.customer_to_json((
        select coalesce(c.merged_into, c.id) from interlock.customers c where c.id = s.customer_id
      )),
      'promo_code', s.promo_code,
      'loyalty', s.loyalty,
      'approved_by', s.approved_by,
      'sold_at', s.sold_at,
      'recorded_at', s.recorded_at,
      'offline', s.offline,
      'late', s.late,
      'needs_review', s.needs_review,
      'shortfalls', case when s.offline then (
        select coalesce(
          json_agg(
            json_build_object(
              'product_id', f.product_id, 'inventory_id', f.inventory_id, 'location_id', f.location_id,
              'sold', trim_scale(f.sold), 'quantity', trim_scale(f.quantity)
            )
            order by f.product_id
          ),
          '[]'
        )
        from interlock.sale_shortfalls f
        where f.sale_id = s.id
      ) else '[]' end
    )
    from interlock.sales s
    join interlock.registers r on r.id = s.register_id
    where s.id = p_sale_id
  );
end
$$;
