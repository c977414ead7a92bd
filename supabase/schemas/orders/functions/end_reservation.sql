-- End the reservation of a customer: its units are on the shelf again. Whether there was one.
--
-- Callers: interlock.release_cart, interlock.expire_cart_reservations, interlock.erase_user.
-- Locks: as interlock.take_reservation; then stock rows by id.
-- Errors: STOCK_LIMIT_EXCEEDED; 55P03 after lock_timeout.
create function interlock.end_reservation(p_user_id uuid, p_reason text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_id constant uuid := (
    select r.id from interlock.cart_reservations r where r.user_id = p_user_id and r.expires_at is not null
  );
  v_lines record;
begin
  if v_id is null then
    return false;
  end if;
  v_lines := interlock.take_reservation(p_user_id, v_id);
  perform interlock.return_stock(v_lines.o_product_ids, v_lines.o_quantities, p_reason, v_id);
  return v_lines.o_ended;
end
$$;
