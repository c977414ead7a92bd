-- What public.close_shift does, with its owner's rights: end a shift with what was counted in its drawer, and answer what it
-- adds up to. A sale under way is in it, or finds the shift closed. Called again with the same count, at the till or from
-- afar, it answers the same.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.close_shift.
-- Locks: the register; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SHIFT_NOT_FOUND, SHIFT_CLOSED (with another count); 55P03 is transient.
-- Security definer: nobody has the right to write shifts.
create function interlock.close_shift(p_shift_id uuid, p_counted_cash bigint)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_shift interlock.shifts;
  v_report jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  if p_shift_id is null then
    v_problems := v_problems || interlock.problem('/p_shift_id', 'is required');
  end if;
  if (p_counted_cash between 0 and 9007199254740991) is not true then
    v_problems := v_problems || interlock.problem('/p_counted_cash', 'must be a whole number of minor units, 0 or more');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_shift := interlock.lock_shift(p_shift_id);
  if v_shift.closed_at is null then
    v_report := interlock.shift_report(p_shift_id, p_counted_cash);
    update interlock.shifts s
    set closed_at = greatest(interlock.clock(), s.opened_at),
        closed_by = auth.uid(),
        counted_cash = p_counted_cash,
        expected_cash = (v_report ->> 'expected_cash')::bigint,
        report = v_report
    where s.id = p_shift_id
    returning * into v_shift;
  elsif v_shift.counted_cash <> p_counted_cash then
    perform interlock.raise_error('SHIFT_CLOSED', jsonb_build_object(
      'shift_id', p_shift_id, 'closed_at', v_shift.closed_at, 'counted_cash', v_shift.counted_cash
    ));
  end if;

  return jsonb_build_object('success', true, 'shift', jsonb_build_object(
    'id', p_shift_id, 'register_id', v_shift.register_id, 'opened_at', v_shift.opened_at, 'closed_at', v_shift.closed_at
  ) || v_shift.report);
end
$$;
