-- What public.move_cash does, with its owner's rights: put cash into the drawer of an open shift (paid_in) or take it out of it
-- (paid_out), once for each reference. No more is taken out than has to be there.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.move_cash.
-- Locks: the reference; the register; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, SHIFT_NOT_FOUND, SHIFT_CLOSED, CASH_EXCEEDED;
--   55P03 is transient.
-- Security definer: nobody has the right to write movements of cash.
create function interlock.move_cash(p_shift_id uuid, p_kind text, p_amount bigint, p_reason text, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_answer jsonb;
  v_shift interlock.shifts;
  v_expected bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  if p_shift_id is null then
    v_problems := v_problems || interlock.problem('/p_shift_id', 'is required');
  end if;
  if (p_kind in ('paid_in', 'paid_out')) is not true then
    v_problems := v_problems || interlock.problem('/p_kind', 'must be paid_in or paid_out');
  end if;
  if (p_amount between 1 and 9007199254740991) is not true then
    v_problems := v_problems || interlock.problem('/p_amount', 'must be a whole number of minor units, 1 or more');
  end if;
  if interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must be 1 to 200 characters, without control characters');
  end if;
  if p_reference is null then
    v_problems := v_problems || interlock.problem('/p_reference', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'move_cash', p_reference, jsonb_build_array(p_shift_id, p_kind, p_amount, p_reason)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  v_shift := interlock.lock_shift(p_shift_id);
  if v_shift.closed_at is not null then
    perform interlock.raise_error('SHIFT_CLOSED', jsonb_build_object(
      'shift_id', p_shift_id, 'closed_at', v_shift.closed_at, 'counted_cash', v_shift.counted_cash
    ));
  end if;
  v_expected := interlock.expected_cash(p_shift_id);
  if p_kind = 'paid_out' and p_amount > v_expected then
    perform interlock.raise_error('CASH_EXCEEDED', jsonb_build_object(
      'shift_id', p_shift_id, 'expected_cash', v_expected, 'requested', p_amount
    ));
  end if;

  insert into interlock.cash_movements (shift_id, kind, amount, reason, actor)
  values (p_shift_id, p_kind, p_amount, p_reason, auth.uid());
  return interlock.finish_reference('move_cash', p_reference, jsonb_build_object(
    'success', true,
    'shift_id', p_shift_id,
    'kind', p_kind,
    'amount', p_amount,
    'expected_cash', v_expected + case p_kind when 'paid_in' then p_amount else -p_amount end
  ));
end
$$;
