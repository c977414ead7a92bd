-- A parked sale for a till that wants to go on with it, locked: one that waits, or that this till has resumed already.
--
-- Callers: interlock.park_sale (again), interlock.resume_parked_sale, interlock.take_parked_sale.
-- Locks: as interlock.lock_parked_sale.
-- Errors: PARKED_SALE_NOT_FOUND (also at another location), PARKED_SALE_TAKEN by another till, PARKED_SALE_ENDED; 55P03 after
--   lock_timeout.
create function interlock.claim_parked_sale(p_parked_sale_id uuid, p_register interlock.registers)
returns interlock.parked_sales
language plpgsql
set search_path = ''
as $$
declare
  v_parked constant interlock.parked_sales := interlock.lock_parked_sale(p_parked_sale_id);
begin
  if v_parked.location_id <> p_register.location_id then
    perform interlock.raise_error('PARKED_SALE_NOT_FOUND', jsonb_build_object('parked_sale_id', p_parked_sale_id));
  end if;
  if v_parked.ended_at is not null or v_parked.expires_at <= interlock.clock() then
    perform interlock.raise_error('PARKED_SALE_ENDED', jsonb_build_object(
      'parked_sale_id', p_parked_sale_id,
      'status', case when v_parked.ended_at is null then 'expired' else v_parked.status end,
      'sale_id', v_parked.sale_id
    ));
  end if;
  if v_parked.status = 'resumed' and v_parked.register_id <> p_register.id then
    perform interlock.raise_error('PARKED_SALE_TAKEN', jsonb_build_object(
      'parked_sale_id', p_parked_sale_id, 'register_id', v_parked.register_id, 'resumed_at', v_parked.resumed_at
    ));
  end if;
  return v_parked;
end
$$;
