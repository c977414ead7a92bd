-- Give back the uses of orders that were cancelled, refunded, expired or not paid. Each use is given back once,
-- however often this is called.
--
-- Callers: interlock.settle_orders, for all orders that a transaction ends, at once.
-- Locks: rows of promo_user_uses, then of promo_codes, each in order, waiting.
-- Errors: 55P03 after lock_timeout. Returns the number of uses given back.
create function interlock.return_promos(p_order_ids uuid[])
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_ids uuid[];
  v_promo_ids uuid[];
  v_user_ids uuid[];
begin
  select array_agg(r.id), array_agg(r.promo_id), array_agg(r.user_id)
  into v_ids, v_promo_ids, v_user_ids
  from interlock.promo_redemptions r
  where r.order_id = any (p_order_ids)
    and r.status = 'redeemed';

  if v_ids is null then
    return 0;
  end if;

  perform interlock.lock_promo_users(v_promo_ids, v_user_ids);
  return interlock.end_promo_uses(v_ids, 'redeemed', 'returned');
end
$$;
