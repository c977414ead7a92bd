-- Whether this customer may have a use of the code for this cart, in one look (one statement, one snapshot): one that
-- an order redeems, or with p_to_hold a hold. o_refusal and o_detail are the error to raise, if any. o_reap_from is the
-- customer whose expired hold has to be taken back first, if any; o_over whether this customer has one; o_in_a_slot whether a slot of the code has a use left.
-- Volatile: whoever asks again looks again.
--
-- Callers: interlock.take_promo_use; interlock.validate_promo for a dry run.
-- Errors: none raised; PROMO_NOT_FOUND, PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED.
create function interlock.find_promo_use(
  p_promo_id uuid,
  p_user_id uuid,
  p_cart_id uuid,
  p_to_hold boolean,
  out o_refusal text,
  out o_detail jsonb,
  out o_reap_from uuid,
  out o_over boolean,
  out o_in_a_slot boolean
)
returns record
language plpgsql
set search_path = ''
as $$
declare
  v_look record;
begin
  select
    p.max_uses,
    p.used_count + coalesce(slots.used, 0) as used_count,
    slots.in_one_slot,
    p.max_uses_per_user,
    p.holds_per_user,
    coalesce(u.used, 0) as used_by_user,
    own.status as own_status,
    own.order_id as own_order_id,
    elsewhere.cart_id as elsewhere_cart_id,
    elsewhere.held_until as elsewhere_until,
    elsewhere.carts as elsewhere_carts,
    over.uses as own_over,
    oldest.user_id as oldest_over
  into v_look
  from interlock.promo_codes p
  left join interlock.promo_user_uses u
    on u.promo_id = p.id and u.user_id = p_user_id
  left join interlock.promo_redemptions own
    on own.promo_id = p.id and own.user_id = p_user_id
    and coalesce(own.cart_id, '00000000-0000-0000-0000-000000000000')
      = coalesce(p_cart_id, '00000000-0000-0000-0000-000000000000')
    and (own.status = 'held' or (own.status = 'redeemed' and own.cart_id is not null))
  left join lateral (
    select sum(c.used) as used, max(c.granted - c.used) as in_one_slot
    from interlock.counter_slots c
    where c.owner_id = p.id
      and p.use_slots > 0
  ) slots on true
  left join lateral (
    select r.cart_id, r.held_until, count(*) over () as carts
    from interlock.promo_redemptions r
    where r.promo_id = p.id
      and r.user_id = p_user_id
      and r.status = 'held'
      and r.held_until > interlock.clock()
    order by r.held_until desc
    limit 1
  ) elsewhere on true
  cross join lateral (
    select count(*) as uses
    from interlock.promo_redemptions r
    where r.promo_id = p.id
      and r.user_id = p_user_id
      and r.status = 'held'
      and r.held_until <= interlock.clock()
  ) over
  left join lateral (
    select r.user_id
    from interlock.promo_redemptions r
    where r.promo_id = p.id
      and r.status = 'held'
      and r.held_until <= interlock.clock()
    order by r.held_until
    limit 1
  ) oldest on true
  where p.id = p_promo_id;

  if not found then
    o_refusal := 'PROMO_NOT_FOUND';
    return;
  end if;

  o_over := v_look.own_over > 0;
  o_in_a_slot := coalesce(v_look.in_one_slot, 0) > 0;

  -- What the cart holds already is counted already.
  if v_look.own_status = 'held' then
    return;
  end if;

  if v_look.own_status = 'redeemed' then
    o_refusal := 'PROMO_ALREADY_APPLIED';
    o_detail := jsonb_build_object(
      'reason', 'redeemed', 'cart_id', p_cart_id, 'order_id', v_look.own_order_id
    );
    return;
  end if;

  if v_look.used_by_user - v_look.own_over >= v_look.max_uses_per_user then
    o_refusal := 'PROMO_EXHAUSTED';
    o_detail := jsonb_build_object('reason', 'max_uses_per_user');
  elsif v_look.used_count >= v_look.max_uses then
    if v_look.oldest_over is null then
      o_refusal := 'PROMO_EXHAUSTED';
      o_detail := jsonb_build_object('reason', 'max_uses');
    else
      o_reap_from := v_look.oldest_over;
    end if;
  end if;

  if v_look.elsewhere_until is not null
    and (o_refusal is not null or p_to_hold and v_look.elsewhere_carts >= v_look.holds_per_user)
  then
    o_refusal := 'PROMO_ALREADY_APPLIED';
    o_detail := jsonb_build_object(
      'reason', 'held', 'cart_id', v_look.elsewhere_cart_id, 'held_until', v_look.elsewhere_until
    );
  end if;
end
$$;
