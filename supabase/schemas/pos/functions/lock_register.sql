-- Lock a register; the one helper for this kind of lock. It comes last (a sale waits then for the reference of its card payment alone), and what
-- belongs to its open shift is added up or written under it.
--
-- Callers: interlock.open_shift, interlock.close_shift, interlock.move_cash, interlock.void_sale; interlock.make_sale takes it by
--   counting a receipt.
-- Locks: the row of the register, waiting, `no key`.
-- Errors: REGISTER_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_register(p_register_id uuid)
returns interlock.registers
language plpgsql
set search_path = ''
as $$
declare
  v_register interlock.registers;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select r.* into v_register from interlock.registers r where r.id = p_register_id for no key update;
  if not found then
    perform interlock.raise_error('REGISTER_NOT_FOUND', jsonb_build_object('register_id', p_register_id));
  end if;
  return v_register;
end
$$;
