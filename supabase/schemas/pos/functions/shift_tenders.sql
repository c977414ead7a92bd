-- What a shift has received by each type of tender: what was taken less change, and less what was paid out to customers. What was voided
-- is not in it.
--
-- Callers: interlock.expected_cash, interlock.shift_report.
-- Locks: none.
create function interlock.shift_tenders(p_shift_id uuid)
returns table (type text, amount bigint)
language plpgsql
stable
rows 4
set search_path = ''
as $$
begin
  return query
    select k.type, coalesce(sum(r.amount), 0)::bigint
    from (values ('cash'), ('card'), ('wallet'), ('points')) as k (type)
    left join (
      select t.type, case when a.total < 0 then -t.amount else t.amount end::bigint as amount
      from interlock.sales a
      join interlock.sale_tenders t on t.sale_id = a.id
      where a.shift_id = p_shift_id
        and a.status = 'completed'
      union all
      select 'cash', -a.change_due
      from interlock.sales a
      where a.shift_id = p_shift_id
        and a.status = 'completed'
    ) r on r.type = k.type
    group by k.type;
end
$$;
