-- Shifts that were closed before all of their sales had come: what the closing report says, what came late, and what the drawer
-- should have held with it. The cash of a late sale was in the drawer when it was counted.
create view interlock.shift_corrections
with (security_invoker = true)
as
  select
    s.id as shift_id,
    s.register_id,
    s.opened_at,
    s.closed_at,
    s.counted_cash,
    s.expected_cash,
    s.counted_cash - s.expected_cash as difference,
    l.sales as late_sales,
    l.total as late_total,
    l.cash as late_cash,
    s.expected_cash + l.cash as corrected_expected_cash,
    s.counted_cash - s.expected_cash - l.cash as corrected_difference
  from interlock.shifts s
  cross join lateral (
    select
      count(*) as sales,
      sum(a.total)::bigint as total,
      sum(case when a.total < 0 then -1 else 1 end * coalesce(c.cash, 0) - a.change_due)::bigint as cash
    from interlock.sales a
    cross join lateral (
      select sum(t.amount) as cash from interlock.sale_tenders t where t.sale_id = a.id and t.type = 'cash'
    ) c
    where a.shift_id = s.id
      and a.late
  ) l
  where l.sales > 0;

comment on view interlock.shift_corrections is
  'Shifts with sales that came after they were closed: the closing report as it was, what came late, and the difference with it.';

grant select on table interlock.shift_corrections to authenticated, service_role;
