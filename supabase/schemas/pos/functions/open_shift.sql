-- What public.open_shift does, with its owner's rights: begin a shift at a register, with what is in its drawer.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.open_shift.
-- Locks: the register; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, REGISTER_NOT_FOUND (also one that is not active), SHIFT_ALREADY_OPEN;
--   55P03 is transient.
-- Security definer: nobody has the right to write shifts.
create function interlock.open_shift(p_register_id uuid, p_opening_cash bigint)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]';
  v_shift interlock.shifts;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_till();

  if p_register_id is null then
    v_problems := v_problems || interlock.problem('/p_register_id', 'is required');
  end if;
  if (p_opening_cash between 0 and 9007199254740991) is not true then
    v_problems := v_problems || interlock.problem('/p_opening_cash', 'must be a whole number of minor units, 0 or more');
  end if;
  perform interlock.refuse_problems(v_problems);

  if not (interlock.lock_register(p_register_id)).active then
    perform interlock.raise_error('REGISTER_NOT_FOUND', jsonb_build_object('register_id', p_register_id));
  end if;

  select s.* into v_shift from interlock.shifts s where s.register_id = p_register_id and s.closed_at is null;
  if found then
    perform interlock.raise_error('SHIFT_ALREADY_OPEN', jsonb_build_object(
      'register_id', p_register_id, 'shift_id', v_shift.id, 'opened_at', v_shift.opened_at
    ));
  end if;

  insert into interlock.shifts (register_id, opened_by, opening_cash)
  values (p_register_id, auth.uid(), p_opening_cash)
  returning * into v_shift;
  return jsonb_build_object('success', true, 'shift', jsonb_build_object(
    'id', v_shift.id, 'register_id', p_register_id, 'opened_at', v_shift.opened_at, 'opening_cash', p_opening_cash
  ));
end
$$;
