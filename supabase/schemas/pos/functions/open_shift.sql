-- What public.open_shift does, with its owner's rights: begin a shift at a register, with what is in its drawer. A till that was cut
-- off makes its id (p_shift_id) and says when it began (p_client_time); the same id again answers the same shift.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.open_shift.
-- Locks: the register; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, REGISTER_NOT_FOUND (also one that is not active), SHIFT_ALREADY_OPEN,
--   IDEMPOTENCY_KEY_REUSED (the id is that of another shift); 55P03 is transient.
-- Security definer: nobody has the right to write shifts.
create function interlock.open_shift(
  p_register_id uuid,
  p_opening_cash bigint,
  p_shift_id uuid,
  p_client_time timestamptz
)
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
  v_active boolean;
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
  if p_client_time is not null then
    if p_shift_id is null then
      v_problems := v_problems || interlock.problem('/p_shift_id', 'is required with p_client_time');
    end if;
    v_problems := v_problems || interlock.find_client_time_problems(p_client_time, '/p_client_time');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_active := (interlock.lock_register(p_register_id)).active;
  select s.* into v_shift from interlock.shifts s where s.id = p_shift_id;
  if not found then
    if not v_active then
      perform interlock.raise_error('REGISTER_NOT_FOUND', jsonb_build_object('register_id', p_register_id));
    end if;
    select s.* into v_shift from interlock.shifts s where s.register_id = p_register_id and s.closed_at is null;
    if found then
      perform interlock.raise_error('SHIFT_ALREADY_OPEN', jsonb_build_object(
        'register_id', p_register_id, 'shift_id', v_shift.id, 'opened_at', v_shift.opened_at
      ));
    end if;

    insert into interlock.shifts (id, register_id, opened_at, opened_by, opening_cash)
    values (
      coalesce(p_shift_id, interlock.new_id()), p_register_id, coalesce(p_client_time, now()), auth.uid(), p_opening_cash
    )
    -- Somebody may open one of this id at another register.
    on conflict on constraint shifts_pkey do nothing
    returning * into v_shift;
  end if;
  if (v_shift.register_id = p_register_id and v_shift.opening_cash = p_opening_cash) is not true then
    perform interlock.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('operation', 'open_shift'));
  end if;

  return jsonb_build_object('success', true, 'shift', jsonb_build_object(
    'id', v_shift.id, 'register_id', p_register_id, 'opened_at', v_shift.opened_at, 'opening_cash', p_opening_cash
  ));
end
$$;
