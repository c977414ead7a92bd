-- What public.reserve_cart does, with its owner's rights: a customer's cart is theirs for settings.cart_reservation_window. What
-- they had reserved before is replaced, all or nothing; the same cart again is only kept longer, without touching the stock.
--
-- Callers: authenticated and service_role, through public.reserve_cart.
-- Locks: the customer's account, their reservation, their limits (with a product that has some), the counter of their open
--   orders (with a limit of units); stock rows by id, slots of stock. All waits together last two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, PRODUCT_NOT_FOUND, PRODUCT_NOT_RESERVABLE, PRODUCT_ORDER_LIMIT,
--   PRODUCT_CUSTOMER_LIMIT, RESERVATION_LIMIT, TOO_MANY_OPEN_ORDERS, INSUFFICIENT_INVENTORY, STOCK_LIMIT_EXCEEDED; 55P03 is
--   transient.
-- Security definer: nobody has the right to write reservations or stock. Nothing here trusts an argument for who is calling.
create function interlock.reserve_cart(p_cart_items jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_settings interlock.settings;
  v_cart record;
  v_terms record;
  v_reservation interlock.cart_reservations;
  v_until timestamptz;
  v_former record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if v_user_id is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  perform interlock.refuse_problems(interlock.find_checkout_problems(p_cart_items, null, null, null));
  if not interlock.lock_user(v_user_id) then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  select s.* into v_settings from interlock.settings s;

  select
    array_agg(l.product_id order by l.product_id) as product_ids,
    array_agg(l.quantity order by l.product_id) as quantities,
    sum(l.quantity) as units,
    jsonb_agg(jsonb_build_object('product_id', l.product_id, 'quantity', l.quantity) order by l.product_id) as items,
    jsonb_agg(l.product_id order by l.product_id) filter (where p.active is not true) as missing,
    jsonb_agg(l.product_id order by l.product_id) filter (where p.kind = 'digital') as digital
  into v_cart
  from (
    select (i.item ->> 'product_id')::uuid as product_id, sum((i.item ->> 'quantity')::numeric)::int as quantity
    from jsonb_array_elements(p_cart_items) as i (item)
    group by 1
  ) l
  left join interlock.products p on p.id = l.product_id;
  if v_cart.missing is not null then
    perform interlock.raise_error('PRODUCT_NOT_FOUND', jsonb_build_object('product_ids', v_cart.missing));
  end if;
  if v_cart.digital is not null then
    perform interlock.raise_error('PRODUCT_NOT_RESERVABLE', jsonb_build_object('product_ids', v_cart.digital));
  end if;
  v_terms := interlock.look_at_terms(v_user_id, null, v_cart.product_ids, v_cart.quantities);
  if v_terms.o_limits is not null then
    perform interlock.raise_error('PRODUCT_ORDER_LIMIT', jsonb_build_object('limits', v_terms.o_limits));
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.cart_reservations as r (user_id, id, reserved_since)
  values (v_user_id, interlock.new_id(), interlock.clock())
  on conflict on constraint cart_reservations_pkey do update
    set reserved_since = case
      when r.reserved_since + 2 * v_settings.cart_reservation_limit <= interlock.clock() then interlock.clock()
      else r.reserved_since
    end
  returning r.* into v_reservation;

  v_until := v_reservation.reserved_since + v_settings.cart_reservation_limit;
  if v_until <= interlock.clock() then
    perform interlock.raise_error('RESERVATION_LIMIT', jsonb_build_object(
      'reserved_since', v_reservation.reserved_since,
      'again_at', v_until + v_settings.cart_reservation_limit
    ));
  end if;
  if v_reservation.expires_at is null then
    v_reservation.id := interlock.new_id();
  end if;

  if v_terms.o_customer_limit then
    perform interlock.take_customer_limits(v_user_id, v_cart.product_ids, v_cart.quantities);
  end if;

  if v_reservation.expires_at is null or exists (
    select l.product_id, l.quantity::int, l.untracked
    from interlock.cart_reservation_lines l
    where l.user_id = v_user_id
    except
    select w.product_id, w.quantity, coalesce(w.product_id = any (v_terms.o_untracked), false)
    from unnest(v_cart.product_ids, v_cart.quantities) as w (product_id, quantity)
  ) or cardinality(v_cart.product_ids) <> (
    select count(*) from interlock.cart_reservation_lines l where l.user_id = v_user_id
  ) then
    v_former := interlock.take_reservation(v_user_id, null);
    if v_settings.max_open_units_per_customer is not null then
      v_reservation.counted_units := v_cart.units;
      perform interlock.take_open_order(
        v_user_id, v_reservation.counted_units, null, v_settings.max_open_units_per_customer, 0
      );
    end if;

    perform interlock.lock_stock(v_cart.product_ids || v_former.o_product_ids);
    perform interlock.return_stock(
      v_former.o_product_ids, v_former.o_quantities, 'cart_released', v_reservation.id
    );
    perform interlock.take_stock(
      array_agg(w.product_id), array_agg(w.quantity), 'cart_reserved', v_reservation.id
    )
    from unnest(v_cart.product_ids, v_cart.quantities) as w (product_id, quantity)
    where w.product_id = any (v_terms.o_untracked) is not true
    having count(*) > 0;

    insert into interlock.cart_reservation_lines (user_id, product_id, quantity, untracked)
    select v_user_id, w.product_id, w.quantity, coalesce(w.product_id = any (v_terms.o_untracked), false)
    from unnest(v_cart.product_ids, v_cart.quantities) as w (product_id, quantity);
  end if;

  update interlock.cart_reservations r
  set id = v_reservation.id,
      expires_at = least(interlock.clock() + v_settings.cart_reservation_window, v_until),
      counted_units = v_reservation.counted_units
  where r.user_id = v_user_id
  returning r.* into v_reservation;

  return jsonb_build_object('success', true, 'reservation', jsonb_build_object(
    'id', v_reservation.id,
    'expires_at', v_reservation.expires_at,
    'extendable_until', v_until,
    'items', v_cart.items
  ));
end
$$;
