-- The one way to a use. With p_held_until it is held for the cart (a hold of that cart is refreshed), otherwise
-- redeemed (a hold of that cart becomes the redemption). A live hold is redeemed for the discount it has shown,
-- or not at all. Without p_user_id it is a use that only the code's own limit binds. Returns the end of the hold.
--
-- A customer holds a code with as many carts as the code allows, and for settings.promo_hold_limit in all: no hold
-- ends later, and after that there is none (null) until as much time has passed again, so that nobody keeps uses from
-- others by asking again and again. What may not be held can still be bought.
--
-- Reads decide first, without a lock (interlock.find_promo_use). Where a use has to be taken back from an expired hold,
-- the rows of promo_user_uses of both customers are locked together, in order and waiting, so that nobody is told
-- "exhausted" because of a transaction that is then rolled back. If after the locks the rule no longer holds, a
-- sub-transaction gives the locks back before the function looks again: an update that finds its row changed keeps the
-- lock, and whoever looks again must hold nothing. Every turn of that loop means that somebody else's transaction has
-- succeeded. The row of the code is the hot one: it comes last and only where used_count changes; refreshing or
-- redeeming a hold does not touch it.
--
-- Callers: interlock.redeem_promo, interlock.validate_promo, interlock.increment_promo_usage.
-- Locks: rows of promo_user_uses, then a slot of the code or the row of promo_codes.
-- Errors: PROMO_NOT_FOUND, PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED, PROMO_CHANGED; 55P03 after lock_timeout or
--   after 200 lost races.
create function interlock.take_promo_use(
  p_promo_id uuid,
  p_user_id uuid,
  p_cart_id uuid,
  p_order_id uuid,
  p_discount bigint,
  p_currency text,
  p_held_until timestamptz
)
returns timestamptz
language plpgsql
set search_path = ''
as $$
declare
  v_look record;
  v_own interlock.promo_redemptions;
  v_limit interval;
  v_since timestamptz;
  v_held_until timestamptz;
  v_slot_tries int := 0;
begin
  for v_turn in 1..200 loop
    v_look := interlock.find_promo_use(p_promo_id, p_user_id, p_cart_id, p_held_until is not null);
    if v_look.o_refusal is not null then
      perform interlock.raise_error(v_look.o_refusal, v_look.o_detail);
    end if;

    begin
      -- A new row is nobody's expired hold, so nobody waits for it but the same customer,
      -- who holds nothing yet.
      if p_user_id is not null then
        insert into interlock.promo_user_uses (promo_id, user_id, held_since)
        values (p_promo_id, p_user_id, case when p_held_until is not null then interlock.clock() end)
        on conflict do nothing;
      end if;
      perform interlock.lock_promo_users(
        array[p_promo_id, p_promo_id], array[p_user_id, v_look.o_reap_from]
      );

      select r.*
      into v_own
      from interlock.promo_redemptions r
      where r.promo_id = p_promo_id
        and r.user_id = p_user_id
        and coalesce(r.cart_id, '00000000-0000-0000-0000-000000000000')
          = coalesce(p_cart_id, '00000000-0000-0000-0000-000000000000')
        and (r.status = 'held' or (r.status = 'redeemed' and r.cart_id is not null));

      if v_own.status = 'redeemed' then
        raise exception using errcode = 'IL001', message = 'redeemed meanwhile: look again';
      end if;

      if p_held_until is not null then
        select s.promo_hold_limit, u.held_since
        into v_limit, v_since
        from interlock.promo_user_uses u
        cross join interlock.settings s
        where u.promo_id = p_promo_id
          and u.user_id = p_user_id;
        if v_since is null or v_since + 2 * v_limit <= interlock.clock() then
          v_since := interlock.clock();
          update interlock.promo_user_uses u
          set held_since = v_since
          where u.promo_id = p_promo_id
            and u.user_id = p_user_id;
        elsif v_since + v_limit <= interlock.clock() then
          return null;
        end if;
        v_held_until := least(p_held_until, v_since + v_limit);
      end if;

      if v_own.status = 'held' then
        if p_held_until is not null then
          update interlock.promo_redemptions r
          set held_until = v_held_until,
              discount = p_discount,
              currency = p_currency
          where r.id = v_own.id;
          return v_held_until;
        end if;

        if v_own.held_until > interlock.clock()
          and (v_own.discount <> p_discount or v_own.currency <> p_currency)
        then
          perform interlock.raise_error('PROMO_CHANGED', jsonb_build_object(
            'shown', v_own.discount, 'now', p_discount, 'currency', p_currency
          ));
        end if;

        update interlock.promo_redemptions r
        set status = 'redeemed',
            order_id = p_order_id,
            redeemed_at = interlock.clock(),
            discount = p_discount,
            currency = p_currency
        where r.id = v_own.id;
        return null;
      end if;

      if v_look.o_over or v_look.o_reap_from is not null then
        perform interlock.end_promo_uses(
          array(
            select r.id
            from interlock.promo_redemptions r
            where r.promo_id = p_promo_id
              and r.user_id in (p_user_id, v_look.o_reap_from)
              and r.status = 'held'
              and r.held_until <= interlock.clock()
          ),
          'held',
          'expired'
        );
      end if;

      if p_user_id is not null then
        update interlock.promo_user_uses u
        set used = u.used + 1
        from interlock.promo_codes p
        where u.promo_id = p_promo_id
          and u.user_id = p_user_id
          and p.id = p_promo_id
          and (p.max_uses_per_user is null or u.used < p.max_uses_per_user)
          and (
            p_held_until is null
            or p.holds_per_user > (
              select count(*)
              from interlock.promo_redemptions r
              where r.promo_id = p_promo_id
                and r.user_id = p_user_id
                and r.status = 'held'
            )
          );
        if not found then
          raise exception using errcode = 'IL001', message = 'used or held by the same customer meanwhile: look again';
        end if;
      end if;

      insert into interlock.promo_redemptions
        (promo_id, user_id, cart_id, order_id, status, discount, currency, held_until, redeemed_at)
      values (
        p_promo_id, p_user_id, p_cart_id, p_order_id,
        case when p_held_until is null then 'redeemed' else 'held' end,
        p_discount, p_currency, v_held_until,
        case when p_held_until is null then interlock.clock() end
      );

      -- From a free slot, then from one that is worth waiting for, then at the gate.
      if v_look.o_in_a_slot and v_slot_tries < 2 then
        v_slot_tries := v_slot_tries + 1;
        perform interlock.use_slot(p_promo_id, 1, v_slot_tries = 2);
      else
        perform interlock.count_promo_use(p_promo_id);
      end if;
      return v_held_until;
    exception
      when sqlstate 'IL001' or sqlstate 'IL002' then
        null;
    end;
  end loop;

  raise exception using
    errcode = 'lock_not_available',
    message = format('promo code %s is too busy', p_promo_id);
end
$$;
