-- What a shift adds up to: its sales and returns (an exchange is both), what they were paid with, and its cash, expected against
-- counted.
--
-- Callers: interlock.close_shift, which holds the register.
-- Locks: none.
create function interlock.shift_report(p_shift_id uuid, p_counted_cash bigint)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_expected constant bigint := interlock.expected_cash(p_shift_id);
begin
  return (
    select jsonb_build_object(
      'opening_cash', s.opening_cash,
      'sales', count(a.id) filter (
        where a.status = 'completed' and exists (select from interlock.sale_lines l where l.sale_id = a.id)
      ),
      'returns', count(a.id) filter (where a.status = 'completed' and a.returns > 0),
      'voided', count(a.id) filter (where a.status = 'voided'),
      'first_receipt', min(a.receipt_number),
      'last_receipt', max(a.receipt_number),
      'subtotal', coalesce(sum(a.subtotal) filter (where a.status = 'completed'), 0)::bigint,
      'discount', coalesce(sum(a.discount) filter (where a.status = 'completed'), 0)::bigint,
      'tax', coalesce(sum(a.tax) filter (where a.status = 'completed'), 0)::bigint,
      'returned', coalesce(sum(a.returned) filter (where a.status = 'completed'), 0)::bigint,
      'total', coalesce(sum(a.total) filter (where a.status = 'completed'), 0)::bigint,
      'tenders', (select jsonb_object_agg(t.type, t.amount) from interlock.shift_tenders(s.id) t),
      'parked', (
        select count(*)
        from interlock.parked_sales p
        join interlock.registers r on r.location_id = p.location_id
        where r.id = s.register_id
          and p.ended_at is null
      ),
      'paid_in', coalesce((
        select sum(m.amount) from interlock.cash_movements m where m.shift_id = s.id and m.kind = 'paid_in'
      ), 0)::bigint,
      'paid_out', coalesce((
        select sum(m.amount) from interlock.cash_movements m where m.shift_id = s.id and m.kind = 'paid_out'
      ), 0)::bigint,
      'expected_cash', v_expected,
      'counted_cash', p_counted_cash,
      'difference', p_counted_cash - v_expected
    )
    from interlock.shifts s
    left join interlock.sales a on a.shift_id = s.id
    where s.id = p_shift_id
    group by s.id, s.opening_cash, s.register_id
  );
end
$$;
