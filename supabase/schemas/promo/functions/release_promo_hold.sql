-- Give back the hold of a cart. Returns whether there was one.
--
-- Callers: interlock.validate_promo.
-- Locks: the customer's row of promo_user_uses, then the row of promo_codes, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.release_promo_hold(p_promo_id uuid, p_user_id uuid, p_cart_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.lock_promo_users(array[p_promo_id], array[p_user_id]);
  return interlock.end_promo_uses(
    array(
      select r.id
      from interlock.promo_redemptions r
      where r.promo_id = p_promo_id
        and r.user_id = p_user_id
        and coalesce(r.cart_id, '00000000-0000-0000-0000-000000000000')
          = coalesce(p_cart_id, '00000000-0000-0000-0000-000000000000')
        and r.status = 'held'
    ),
    'held',
    'released'
  ) > 0;
end
$$;
