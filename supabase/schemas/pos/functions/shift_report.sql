-- What a shift adds up to: its sales, what they were paid with, and its cash, expected against counted.
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
      'sales', count(a.id) filter (where a.status = 'completed'),
      'voided', count(a.id) filter (where a.status = 'voided'),
      'first_receipt', min(a.receipt_number),
      'last_receipt', max(a.receipt_number),
      'subtotal', coalesce(sum(a.subtotal) filter (where a.status = 'completed'), 0)::bigint,
      'discount', coalesce(sum(a.discount) filter (where a.status = 'completed'), 0)::bigint,
      'tax', coalesce(sum(a.tax) filter (where a.status = 'completed'), 0)::bigint,
      'total', coalesce(sum(a.total) filter (where a.status = 'completed'), 0)::bigint,
      'tenders', (
        select jsonb_object_agg(
          k.type,
          coalesce((
            select sum(t.amount - case k.type when 'cash' then b.change_due else 0 end)::bigint
            from interlock.sales b
            join (
              select u.sale_id, u.type, sum(u.amount) as amount
              from interlock.sale_tenders u
              group by u.sale_id, u.type
            ) t on t.sale_id = b.id and t.type = k.type
            where b.shift_id = s.id
              and b.status = 'completed'
          ), 0)
        )
        from (values ('cash'), ('card')) as k (type)
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
    group by s.id, s.opening_cash
  );
end
$$;
