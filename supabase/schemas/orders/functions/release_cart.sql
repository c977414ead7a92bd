-- What public.release_cart does, with its owner's rights.
--
-- Callers: authenticated and service_role, through public.release_cart.
-- Locks: as interlock.end_reservation; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, STOCK_LIMIT_EXCEEDED; 55P03 is transient.
-- Security definer: nobody has the right to write reservations or stock. Nothing here trusts an argument for who is calling.
create function interlock.release_cart()
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  return jsonb_build_object(
    'success', true,
    'released', interlock.end_reservation(interlock.require_user(), 'cart_released')
  );
end
$$;
