-- Lock the reservation of a customer and take its lines out of it: what they have taken from the stock is the caller's to
-- give back or to sell. With p_reservation_id only if it is that one. Answers whether there was one.
--
-- Callers: interlock.end_reservation, interlock.reserve_cart, interlock.checkout.
-- Locks: the customer's reservation, waiting; the counter of their open orders, if it counts.
-- Errors: 55P03 after lock_timeout.
create function interlock.take_reservation(
  p_user_id uuid,
  p_reservation_id uuid,
  out o_ended boolean,
  out o_product_ids uuid[],
  out o_quantities int[]
)
language plpgsql
set search_path = ''
as $$
declare
  v_reservation interlock.cart_reservations;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select r.*
  into v_reservation
  from interlock.cart_reservations r
  where r.user_id = p_user_id
    and r.id = coalesce(p_reservation_id, r.id)
  for no key update;
  o_ended := v_reservation.expires_at is not null;
  if not o_ended then
    return;
  end if;

  with taken as (
    delete from interlock.cart_reservation_lines l
    where l.user_id = p_user_id
    returning l.product_id, l.quantity, l.untracked
  )
  select array_agg(t.product_id), array_agg(t.quantity::int)
  into o_product_ids, o_quantities
  from taken t
  where not t.untracked;

  update interlock.cart_reservations r
  set expires_at = null,
      counted_units = null
  where r.user_id = p_user_id;

  if v_reservation.counted_units is not null then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.customer_open_orders c
    set units = c.units - v_reservation.counted_units
    where c.user_id = p_user_id;
  end if;
end
$$;
