-- What has to be in the drawer of a shift: its opening cash, cash that was taken less change and refunds, and what was put in or
-- taken out beside.
--
-- Callers: interlock.shift_report, interlock.move_cash, which hold the register.
-- Locks: none.
create function interlock.expected_cash(p_shift_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select s.opening_cash
      + (select t.amount from interlock.shift_tenders(s.id) t where t.type = 'cash')
      + coalesce((
        select sum(case m.kind when 'paid_in' then m.amount else -m.amount end)
        from interlock.cash_movements m
        where m.shift_id = s.id
      ), 0)::bigint
    from interlock.shifts s
    where s.id = p_shift_id
  );
end
$$;
