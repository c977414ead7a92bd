-- Give one customer the uses of promo codes that another has redeemed, and the codes that are named for them; their holds end.
-- The uses count for the new owner, also where they are more than a code allows one customer.
--
-- A cart that the new owner applies the code to, too, stays theirs: the use that has moved loses its cart.
--
-- Callers: interlock.move_guest, with both accounts locked.
-- Locks: rows of interlock.promo_user_uses of both by promo and customer, then rows of promo_codes by id, waiting; slots of a
--   code whose uses are in them.
-- Errors: 55P03 after lock_timeout.
create function interlock.move_promo_uses(p_from_user_id uuid, p_to_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_promo_ids constant uuid[] := array(
    select u.promo_id from interlock.promo_user_uses u where u.user_id = p_from_user_id
  );
begin
  insert into interlock.promo_user_uses (promo_id, user_id)
  select p.id, p_to_user_id
  from unnest(v_promo_ids) as p (id)
  order by p.id
  on conflict do nothing;
  perform interlock.lock_promo_users(
    v_promo_ids || v_promo_ids,
    array_fill(p_from_user_id, array[cardinality(v_promo_ids)]) || array_fill(p_to_user_id, array[cardinality(v_promo_ids)])
  );

  perform interlock.end_promo_uses(
    array(
      select r.id
      from interlock.promo_redemptions r
      where r.user_id = p_from_user_id
        and r.status = 'held'
    ),
    'held',
    'released'
  );

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.promo_codes p where p.user_id = p_from_user_id order by p.id for no key update;
  update interlock.promo_codes p set user_id = p_to_user_id where p.user_id = p_from_user_id;

  with moved as (
    update interlock.promo_redemptions r
    set user_id = p_to_user_id,
        cart_id = case
          when not exists (
            select
            from interlock.promo_redemptions c
            where c.promo_id = r.promo_id
              and c.user_id = p_to_user_id
              and c.cart_id = r.cart_id
              and c.status in ('held', 'redeemed')
          ) then r.cart_id
        end
    where r.promo_id = any (v_promo_ids)
      and r.user_id = p_from_user_id
      and r.status = 'redeemed'
    returning r.promo_id
  ),
  counted as (
    select m.promo_id, count(*)::int as uses from moved m group by m.promo_id
  )
  update interlock.promo_user_uses u
  set used = u.used + case u.user_id when p_to_user_id then c.uses else -c.uses end
  from counted c
  where u.promo_id = c.promo_id
    and u.user_id in (p_from_user_id, p_to_user_id);
end
$$;
