-- Lock the calling driver: serialises one driver's own calls until the transaction ends. Returns their id.
--
-- Callers: interlock.claim_route.
-- Locks: the caller's row of drivers, waiting. `no key`: foreign keys do not wait for it.
-- Errors: UNAUTHENTICATED (the account is gone), NOT_A_DRIVER; 55P03 after lock_timeout.
create function interlock.lock_driver()
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_driver_id constant uuid := auth.uid();
  v_active boolean;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select d.active
  into v_active
  from interlock.drivers d
  where d.user_id = v_driver_id
  for no key update;

  if v_active is not true then
    perform interlock.require_user();
    perform interlock.raise_error('NOT_A_DRIVER');
  end if;

  return v_driver_id;
end
$$;
