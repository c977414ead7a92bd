-- Uses of promo codes: hold, redeem, give back, take back. Everything that changes a
-- counter is here, and always changes the row of promo_redemptions with it.
--
-- Lock order (docs/locks.md): … wallet → promo → product codes → stock; within promo:
--
--   1. first-order lock of the customer    only to redeem a code for first orders
--   2. rows of private.promo_user_uses     by promo, then customer
--   3. rows of public.promo_codes          by id
--
-- A customer's rows of promo_redemptions change only under their row of promo_user_uses
-- (2), so they need no lock of their own. The row of the code (3) is the hot one. It comes
-- last and only where used_count changes: refreshing or redeeming a hold does not touch it.
--
-- Reads decide first, without a lock (private.find_promo_use). Where a use has to be taken
-- back from an expired hold, the rows (2) of both customers are locked together, in order
-- and waiting, so that nobody is told "exhausted" because of a transaction that is then
-- rolled back. If after the locks the rule no longer holds, a sub-transaction gives the
-- locks back before the function looks again: an update that finds its row changed keeps
-- the lock, and whoever looks again must hold nothing. Every turn of that loop means that
-- somebody else's transaction has succeeded.
--
-- Tests: supabase/tests/17-promo-holds.sql, 18-promo-redeem.sql

set local lock_timeout = '5s';

-- Purpose: serialise a customer's orders under codes for first orders, so that two
--   checkouts at once, under the same code or two, are not both the first.
-- Callers: private.redeem_promo.
-- Locks: an advisory lock until commit, waiting.
-- Errors: 55P03 after lock_timeout.
-- Tests: supabase/tests/18-promo-redeem.sql
create function private.lock_first_order(p_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('interlock first order ' || p_user_id, 0));
end
$$;

comment on function private.lock_first_order(uuid) is
  'Serialises a customer''s redemptions of codes for first orders until the transaction ends.';

revoke all on function private.lock_first_order(uuid) from public, anon, authenticated, service_role;

-- Purpose: lock the uses of customers of promo codes: pairs (p_promo_ids[n], p_user_ids[n]).
-- Callers: the functions below, once in a transaction and before any row of promo_codes.
-- Locks: rows of private.promo_user_uses by promo and customer, waiting.
-- Errors: 55P03 after lock_timeout.
-- Tests: supabase/tests/17-promo-holds.sql, 18-promo-redeem.sql
create function private.lock_promo_users(p_promo_ids uuid[], p_user_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform 1
  from private.promo_user_uses u
  where (u.promo_id, u.user_id) in (select * from unnest(p_promo_ids, p_user_ids))
  order by u.promo_id, u.user_id
  for no key update;
end
$$;

comment on function private.lock_promo_users(uuid[], uuid[]) is
  'Locks the uses of customers of promo codes, in the order all transactions keep.';

revoke all on function private.lock_promo_users(uuid[], uuid[]) from public, anon, authenticated, service_role;

-- Purpose: end uses: rows p_ids from status p_from to p_to, and both counters with them.
--   A row that is no longer in p_from, or a hold that was refreshed meanwhile, is left alone.
-- Callers: the functions below, which hold the customers' rows of promo_user_uses.
-- Locks: the rows of promo_codes by id, waiting.
-- Errors: 55P03 after lock_timeout. Returns the number of uses ended.
-- Tests: supabase/tests/17-promo-holds.sql, 18-promo-redeem.sql
create function private.end_promo_uses(p_ids uuid[], p_from text, p_to text)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_promo_ids uuid[];
  v_counts int[];
begin
  with ended as (
    update public.promo_redemptions r
    set status = p_to,
        ended_at = private.clock()
    where r.id = any (p_ids)
      and r.status = p_from
      and (p_to <> 'expired' or r.held_until <= private.clock())
    returning r.promo_id, r.user_id
  ),
  given_back as (
    update private.promo_user_uses u
    set used = u.used - e.uses
    from (select promo_id, user_id, count(*)::int as uses from ended group by promo_id, user_id) e
    where u.promo_id = e.promo_id
      and u.user_id = e.user_id
  )
  select array_agg(e.promo_id), array_agg(e.uses)
  into v_promo_ids, v_counts
  from (select promo_id, count(*)::int as uses from ended group by promo_id) e;

  if v_promo_ids is null then
    return 0;
  end if;

  perform 1
  from public.promo_codes p
  where p.id = any (v_promo_ids)
  order by p.id
  for no key update;

  update public.promo_codes p
  set used_count = p.used_count - e.uses
  from unnest(v_promo_ids, v_counts) as e (promo_id, uses)
  where p.id = e.promo_id;

  return (select sum(c) from unnest(v_counts) c);
end
$$;

comment on function private.end_promo_uses(uuid[], text, text) is
  'Ends uses of promo codes and counts them back, each at most once; returns how many.';

revoke all on function private.end_promo_uses(uuid[], text, text) from public, anon, authenticated, service_role;

-- Purpose: whether this customer may have a use of the code for this cart, in one look
--   (one statement, one snapshot). o_refusal and o_detail are the error to raise, if any.
--   o_reap_from is the customer whose expired hold has to be taken back first, if any.
-- Callers: private.take_promo_use; private.validate_promo for a dry run.
-- Locks: none.
-- Errors: none raised; PROMO_NOT_FOUND, PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED.
-- Tests: supabase/tests/17-promo-holds.sql
create function private.find_promo_use(
  p_promo_id uuid,
  p_user_id uuid,
  p_cart_id uuid,
  out o_refusal text,
  out o_detail jsonb,
  out o_reap_from uuid
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
    p.used_count,
    p.max_uses_per_user,
    coalesce(u.used, 0) as used_by_user,
    own.status as own_status,
    own.order_id as own_order_id,
    elsewhere.cart_id as elsewhere_cart_id,
    elsewhere.held_until as elsewhere_until,
    over.uses as own_over,
    oldest.user_id as oldest_over
  into v_look
  from public.promo_codes p
  left join private.promo_user_uses u
    on u.promo_id = p.id and u.user_id = p_user_id
  left join public.promo_redemptions own
    on own.promo_id = p.id and own.user_id = p_user_id
    and coalesce(own.cart_id, '00000000-0000-0000-0000-000000000000')
      = coalesce(p_cart_id, '00000000-0000-0000-0000-000000000000')
    and (own.status = 'held' or (own.status = 'redeemed' and own.cart_id is not null))
  left join lateral (
    select r.cart_id, r.held_until
    from public.promo_redemptions r
    where r.promo_id = p.id
      and r.user_id = p_user_id
      and r.status = 'held'
      and r.held_until > private.clock()
    order by r.held_until desc
    limit 1
  ) elsewhere on true
  cross join lateral (
    select count(*) as uses
    from public.promo_redemptions r
    where r.promo_id = p.id
      and r.user_id = p_user_id
      and r.status = 'held'
      and r.held_until <= private.clock()
  ) over
  left join lateral (
    select r.user_id
    from public.promo_redemptions r
    where r.promo_id = p.id
      and r.status = 'held'
      and r.held_until <= private.clock()
    order by r.held_until
    limit 1
  ) oldest on true
  where p.id = p_promo_id;

  if not found then
    o_refusal := 'PROMO_NOT_FOUND';
    return;
  end if;

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

  if o_refusal is not null and v_look.elsewhere_until is not null then
    o_refusal := 'PROMO_ALREADY_APPLIED';
    o_detail := jsonb_build_object(
      'reason', 'held', 'cart_id', v_look.elsewhere_cart_id, 'held_until', v_look.elsewhere_until
    );
  end if;
end
$$;

comment on function private.find_promo_use(uuid, uuid, uuid) is
  'Whether a customer may have a use of a code for a cart, without a lock: the refusal, or whose expired hold to take back.';

revoke all on function private.find_promo_use(uuid, uuid, uuid) from public, anon, authenticated, service_role;

-- Purpose: the one way to a use. With p_held_until it is held for the cart (a hold of that
--   cart is refreshed), otherwise redeemed (a hold of that cart becomes the redemption).
--   A live hold is redeemed for the discount it has shown, or not at all.
--   Without p_user_id it is a use that only the code's own limit binds.
-- Callers: private.redeem_promo, private.validate_promo, private.increment_promo_usage.
-- Locks: rows of promo_user_uses, then the row of promo_codes, as said above.
-- Errors: PROMO_NOT_FOUND, PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED, PROMO_CHANGED; 55P03
--   after lock_timeout or after 200 lost races.
-- Tests: supabase/tests/17-promo-holds.sql, 18-promo-redeem.sql
create function private.take_promo_use(
  p_promo_id uuid,
  p_user_id uuid,
  p_cart_id uuid,
  p_order_id uuid,
  p_discount bigint,
  p_currency text,
  p_held_until timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_look record;
  v_own public.promo_redemptions;
  v_over uuid[];
begin
  for v_turn in 1..200 loop
    v_look := private.find_promo_use(p_promo_id, p_user_id, p_cart_id);
    if v_look.o_refusal is not null then
      perform private.raise_error(v_look.o_refusal, v_look.o_detail);
    end if;

    begin
      -- A new row is nobody's expired hold, so nobody waits for it but the same customer,
      -- who holds nothing yet.
      if p_user_id is not null then
        insert into private.promo_user_uses (promo_id, user_id)
        values (p_promo_id, p_user_id)
        on conflict do nothing;
      end if;
      perform private.lock_promo_users(
        array[p_promo_id, p_promo_id], array[p_user_id, v_look.o_reap_from]
      );

      select r.*
      into v_own
      from public.promo_redemptions r
      where r.promo_id = p_promo_id
        and r.user_id = p_user_id
        and coalesce(r.cart_id, '00000000-0000-0000-0000-000000000000')
          = coalesce(p_cart_id, '00000000-0000-0000-0000-000000000000')
        and (r.status = 'held' or (r.status = 'redeemed' and r.cart_id is not null));

      if v_own.status = 'redeemed' then
        raise exception using errcode = 'IL001', message = 'redeemed meanwhile: look again';
      end if;

      if v_own.status = 'held' then
        if p_held_until is not null then
          update public.promo_redemptions r
          set held_until = p_held_until,
              discount = p_discount,
              currency = p_currency
          where r.id = v_own.id;
          return;
        end if;

        if v_own.held_until > private.clock()
          and (v_own.discount <> p_discount or v_own.currency <> p_currency)
        then
          perform private.raise_error('PROMO_CHANGED', jsonb_build_object(
            'shown', v_own.discount, 'now', p_discount, 'currency', p_currency
          ));
        end if;

        update public.promo_redemptions r
        set status = 'redeemed',
            order_id = p_order_id,
            redeemed_at = private.clock(),
            discount = p_discount,
            currency = p_currency
        where r.id = v_own.id;
        return;
      end if;

      v_over := array(
        select r.id
        from public.promo_redemptions r
        where r.promo_id = p_promo_id
          and r.user_id in (p_user_id, v_look.o_reap_from)
          and r.status = 'held'
          and r.held_until <= private.clock()
      );
      if v_over <> '{}' then
        perform private.end_promo_uses(v_over, 'held', 'expired');
      end if;

      if p_user_id is not null then
        update private.promo_user_uses u
        set used = u.used + 1
        from public.promo_codes p
        where u.promo_id = p_promo_id
          and u.user_id = p_user_id
          and p.id = p_promo_id
          and (p.max_uses_per_user is null or u.used < p.max_uses_per_user);
        if not found then
          raise exception using errcode = 'IL001', message = 'used up by the same customer meanwhile: look again';
        end if;
      end if;

      insert into public.promo_redemptions
        (promo_id, user_id, cart_id, order_id, status, discount, currency, held_until, redeemed_at)
      values (
        p_promo_id, p_user_id, p_cart_id, p_order_id,
        case when p_held_until is null then 'redeemed' else 'held' end,
        p_discount, p_currency, p_held_until,
        case when p_held_until is null then private.clock() end
      );

      update public.promo_codes p
      set used_count = p.used_count + 1
      where p.id = p_promo_id
        and (p.max_uses is null or p.used_count < p.max_uses);
      if not found then
        raise exception using errcode = 'IL001', message = 'used up meanwhile: look again';
      end if;
      return;
    exception
      when sqlstate 'IL001' then
        null;
    end;
  end loop;

  raise exception using
    errcode = 'lock_not_available',
    message = format('promo code %s is too busy', p_promo_id);
end
$$;

comment on function private.take_promo_use(uuid, uuid, uuid, uuid, bigint, text, timestamptz) is
  'Holds or redeems one use of a promo code, or refuses: the only way to a use.';

revoke all on function private.take_promo_use(uuid, uuid, uuid, uuid, bigint, text, timestamptz) from public, anon, authenticated, service_role;

-- Purpose: redeem a code for an order: the hold of this cart if there is one, else a use
--   taken now. Returns the discount in minor units.
-- Callers: private.checkout, once in its transaction, before product codes and stock. The
--   order need not be written yet. p_lines: [{"product_id", "quantity", "unit_price"}],
--   duplicates summed, priced from the database.
-- Locks: first-order lock if the code asks for it, then as private.take_promo_use.
-- Errors: PROMO_NOT_FOUND, PROMO_NOT_APPLICABLE, PROMO_NOT_STARTED, PROMO_EXPIRED,
--   PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED, PROMO_CHANGED; 55P03 after lock_timeout.
-- Tests: supabase/tests/16-promo-rules.sql, 18-promo-redeem.sql
create function private.redeem_promo(
  p_user_id uuid,
  p_code text,
  p_cart_id uuid,
  p_order_id uuid,
  p_currency text,
  p_lines jsonb
)
returns bigint
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_promo public.promo_codes;
  v_verdict record;
begin
  v_promo := private.find_promo(p_code, p_user_id);
  if v_promo.id is null then
    perform private.raise_error('PROMO_NOT_FOUND');
  end if;

  if v_promo.first_order_only then
    perform private.lock_first_order(p_user_id);
  end if;

  v_verdict := private.evaluate_promo(v_promo, p_user_id, p_order_id, p_currency, p_lines, null);
  if v_verdict.o_refusal is not null then
    perform private.raise_error(v_verdict.o_refusal, v_verdict.o_detail);
  end if;

  perform private.take_promo_use(
    v_promo.id, p_user_id, p_cart_id, p_order_id, v_verdict.o_discount, p_currency, null
  );

  return v_verdict.o_discount;
end
$$;

comment on function private.redeem_promo(uuid, text, uuid, uuid, text, jsonb) is
  'Redeems a promo code for an order and returns the discount, or refuses with the reason.';

revoke all on function private.redeem_promo(uuid, text, uuid, uuid, text, jsonb) from public, anon, authenticated, service_role;

-- Purpose: give back the uses of orders that were cancelled, refunded, expired or not paid.
--   Each use is given back once, however often this is called.
-- Callers: private.return_promo; whoever ends several orders in one transaction, at once.
-- Locks: rows of promo_user_uses, then of promo_codes, each in order, waiting.
-- Errors: 55P03 after lock_timeout. Returns the number of uses given back.
-- Tests: supabase/tests/18-promo-redeem.sql
create function private.return_promos(p_order_ids uuid[])
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
  from public.promo_redemptions r
  where r.order_id = any (p_order_ids)
    and r.status = 'redeemed';

  if v_ids is null then
    return 0;
  end if;

  perform private.lock_promo_users(v_promo_ids, v_user_ids);
  return private.end_promo_uses(v_ids, 'redeemed', 'returned');
end
$$;

comment on function private.return_promos(uuid[]) is
  'Gives back the promo uses of ended orders, each exactly once; returns how many.';

revoke all on function private.return_promos(uuid[]) from public, anon, authenticated, service_role;

-- Purpose, locks and errors: as private.return_promos, for one order. A transaction that
--   ends several orders calls private.return_promos for all of them instead.
-- Callers: what ends an order.
-- Tests: supabase/tests/18-promo-redeem.sql
create function private.return_promo(p_order_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.return_promos(array[p_order_id]);
end
$$;

comment on function private.return_promo(uuid) is
  'Gives back the promo use of an ended order, exactly once; does nothing if it has none.';

revoke all on function private.return_promo(uuid) from public, anon, authenticated, service_role;

-- Purpose: give back the hold of a cart. Returns whether there was one.
-- Callers: private.validate_promo.
-- Locks: the customer's row of promo_user_uses, then the row of promo_codes, waiting.
-- Errors: 55P03 after lock_timeout.
-- Tests: supabase/tests/17-promo-holds.sql
create function private.release_promo_hold(p_promo_id uuid, p_user_id uuid, p_cart_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  perform private.lock_promo_users(array[p_promo_id], array[p_user_id]);
  return private.end_promo_uses(
    array(
      select r.id
      from public.promo_redemptions r
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

comment on function private.release_promo_hold(uuid, uuid, uuid) is
  'Gives back the use that a cart holds; false if it holds none.';

revoke all on function private.release_promo_hold(uuid, uuid, uuid) from public, anon, authenticated, service_role;

-- Purpose: take back holds whose time is over, the oldest first. Uses come back without it
--   too, when somebody needs them; this keeps the counters of codes without a limit true.
-- Callers: pg_cron, every minute where it is present; the shop.
-- Locks: rows of promo_user_uses, never waiting (whoever is locking one sees to it), then
--   the rows of promo_codes by id, waiting.
-- Errors: 55P03 after lock_timeout. Returns the number of holds taken back.
-- Security definer: the service role writes none of these tables.
-- Tests: supabase/tests/17-promo-holds.sql
create function private.expire_promo_holds(p_limit int default 1000)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  return private.end_promo_uses(
    array(
      select r.id
      from public.promo_redemptions r
      join private.promo_user_uses u
        on u.promo_id = r.promo_id and u.user_id = r.user_id
      where r.status = 'held'
        and r.held_until <= private.clock()
      order by r.held_until
      limit p_limit
      for no key update of u skip locked
    ),
    'held',
    'expired'
  );
end
$$;

comment on function private.expire_promo_holds(int) is
  'Takes back up to p_limit holds whose time is over; returns how many. For pg_cron and the shop.';

revoke all on function private.expire_promo_holds(int) from public, anon, authenticated, service_role;
grant execute on function private.expire_promo_holds(int) to service_role;

-- Purpose: the whole of public.increment_promo_usage.
-- Callers: service_role, through public.increment_promo_usage.
-- Locks: the row of promo_codes, waiting; and where an expired hold has to be taken back,
--   its customer's row of promo_user_uses before that.
-- Errors: PROMO_NOT_FOUND, PROMO_EXHAUSTED; 55P03 after lock_timeout.
-- Security definer: nobody has the right to write used_count.
-- Tests: supabase/tests/18-promo-redeem.sql
create function private.increment_promo_usage(p_promo_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  perform private.take_promo_use(p_promo_id, null, null, null, null, null, null);

  return jsonb_build_object(
    'success', true,
    'used_count', (select p.used_count from public.promo_codes p where p.id = p_promo_id)
  );
end
$$;

comment on function private.increment_promo_usage(uuid) is
  'The whole of public.increment_promo_usage, with its owner''s rights.';

revoke all on function private.increment_promo_usage(uuid) from public, anon, authenticated, service_role;
grant execute on function private.increment_promo_usage(uuid) to service_role;

-- Purpose: the RPC of scripts that count a use themselves: one more use, if one is left.
--   The use is redeemed at once, belongs to nobody and is never given back.
-- Callers: service_role.
-- Locks and errors: as private.increment_promo_usage.
-- Tests: supabase/tests/15-promo-schema.sql, 18-promo-redeem.sql
create function public.increment_promo_usage(p_promo_id uuid)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select private.increment_promo_usage(p_promo_id)
$$;

comment on function public.increment_promo_usage(uuid) is
  'Counts one use of a promo code, for the service role; PROMO_EXHAUSTED when none is left.';

revoke all on function public.increment_promo_usage(uuid) from public, anon, authenticated, service_role;
grant execute on function public.increment_promo_usage(uuid) to service_role;

-- pg_cron takes back expired holds every minute where it exists when this is applied. If
-- you enable it later:
--
--   select cron.schedule('interlock-expire-promo-holds', '* * * * *',
--     'select private.expire_promo_holds()');
do $$
begin
  if exists (select 1 from pg_catalog.pg_extension where extname = 'pg_cron') then
    perform cron.schedule(
      'interlock-expire-promo-holds', '* * * * *', 'select private.expire_promo_holds()'
    );
  end if;
end
$$;
