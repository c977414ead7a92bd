-- Lock a parked sale; the one helper for this kind of lock.
--
-- Callers: interlock.park_sale, interlock.resume_parked_sale, interlock.discard_parked_sale, interlock.take_parked_sale.
-- Locks: its row, waiting, `no key`.
-- Errors: PARKED_SALE_NOT_FOUND; 55P03 after lock_timeout.
create function interlock.lock_parked_sale(p_parked_sale_id uuid)
returns interlock.parked_sales
language plpgsql
set search_path = ''
as $$
declare
  v_parked interlock.parked_sales;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select p.* into v_parked from interlock.parked_sales p where p.id = p_parked_sale_id for no key update;
  if not found then
    perform interlock.raise_error('PARKED_SALE_NOT_FOUND', jsonb_build_object('parked_sale_id', p_parked_sale_id));
  end if;
  return v_parked;
end
$$;
