-- A shift, as it is under the lock of its register.
--
-- Callers: interlock.close_shift, interlock.move_cash, interlock.void_sale.
-- Locks: the register (interlock.lock_register).
-- Errors: SHIFT_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_shift(p_shift_id uuid)
returns interlock.shifts
language plpgsql
set search_path = ''
as $$
declare
  v_shift interlock.shifts;
begin
  perform interlock.lock_register(s.register_id) from interlock.shifts s where s.id = p_shift_id;
  select s.* into v_shift from interlock.shifts s where s.id = p_shift_id;
  if not found then
    perform interlock.raise_error('SHIFT_NOT_FOUND', jsonb_build_object('shift_id', p_shift_id));
  end if;
  return v_shift;
end
$$;
