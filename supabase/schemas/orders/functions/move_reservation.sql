-- Give an account what a guest has reserved, as it is and for as long. If the account has a reservation itself, which is as
-- much as it may have, the guest's ends: its id, and what it has taken from the stock, are the caller's to give back. What
-- counts against limits is moved by the caller, with the rest that does.
--
-- Callers: interlock.move_guest, with both accounts locked.
-- Locks: the reservations of both by customer, waiting; the counter of the guest's open orders, if one ends that counts.
-- Errors: 55P03 after lock_timeout.
create function interlock.move_reservation(
  p_from_user_id uuid,
  p_to_user_id uuid,
  out o_id uuid,
  out o_product_ids uuid[],
  out o_quantities int[]
)
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1
  from interlock.cart_reservations r
  where r.user_id in (p_from_user_id, p_to_user_id)
  order by r.user_id
  for no key update;

  if exists (
    select from interlock.cart_reservations r where r.user_id = p_to_user_id and r.expires_at is not null
  ) then
    select r.id into o_id from interlock.cart_reservations r where r.user_id = p_from_user_id;
    select t.o_product_ids, t.o_quantities
    into o_product_ids, o_quantities
    from interlock.take_reservation(p_from_user_id, null) t;
  elsif exists (
    select from interlock.cart_reservations r where r.user_id = p_from_user_id and r.expires_at is not null
  ) then
    delete from interlock.cart_reservations r where r.user_id = p_to_user_id;
    update interlock.cart_reservations r set user_id = p_to_user_id where r.user_id = p_from_user_id;
    update interlock.cart_reservation_lines l set user_id = p_to_user_id where l.user_id = p_from_user_id;
  end if;
end
$$;
