-- Give an account what a guest has: orders with all that belongs to them, the money in the wallet, uses of promo codes and
-- codes that are named for them, what counts against their limits, and a copy of the idempotency keys, so that a submission
-- that is sent again is found by whoever sends it, and what they have reserved. Holds of promo codes end: the account applies the code anew.
--
-- Limits hold for the account from then on: what has moved counts, also where it is more than one customer may have.
--
-- With the hash of a token it is done once, and answered again to the account that has done it.
--
-- Both accounts are locked against everything, so nobody places, pays or ends an order of theirs meanwhile, nor moves their
-- money. What ends an order by itself (interlock.expire_orders) locks the order alone, and is waited for.
--
-- A cart that the account has a live order of keeps that one: the guest's loses its cart. Whoever orders one of the guest's
-- carts for the account at this very moment, or what is limited for a customer, is not waited for, because they may wait for
-- the account: it is tried again.
--
-- Callers: interlock.redeem_order_transfer, interlock.move_orders.
-- Locks: idempotency keys of the account, that a twin is making; both accounts by id; limits and carts of the
--   account (tried, never waited for); reservations of both by customer; the guest's orders by id; open orders of both; then as interlock.move_wallet_money and
--   interlock.move_promo_uses; stock rows by id, if a reservation ends.
-- Errors: STOCK_LIMIT_EXCEEDED, USER_NOT_FOUND, TRANSFER_NOT_FOUND, NOT_A_GUEST, ACCOUNT_NEEDED, CURRENCY_MISMATCH; 55P03 is transient.
create function interlock.move_guest(p_from_user_id uuid, p_to_user_id uuid, p_token_hash bytea)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_transfer interlock.order_transfers;
  v_order_ids uuid[];
  v_money record;
  v_reserved record;
begin
  -- Before the accounts, as everybody does it.
  insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, created_at, expires_at)
  select p_to_user_id, k.operation, k.key, k.request_hash, k.response, k.created_at, k.expires_at
  from interlock.idempotency_keys k
  where k.user_id = p_from_user_id
    and k.expires_at > interlock.clock()
  order by k.operation, k.key
  on conflict do nothing;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1
  from interlock.accounts u
  where u.id in (p_from_user_id, p_to_user_id)
  order by u.id
  for update;

  if p_token_hash is not null then
    select t.* into v_transfer from interlock.order_transfers t where t.token_hash = p_token_hash;
    if v_transfer.moved_at is not null and v_transfer.to_user_id = p_to_user_id then
      return interlock.transfer_answer(v_transfer);
    end if;
    if coalesce(v_transfer.moved_at is not null or v_transfer.expires_at <= interlock.clock(), true) then
      perform interlock.raise_error('TRANSFER_NOT_FOUND');
    end if;
  end if;

  case interlock.is_guest(p_from_user_id)
    when true then
      null;
    when false then
      perform interlock.raise_error('NOT_A_GUEST', jsonb_build_object('user_id', p_from_user_id));
    else
      perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_from_user_id));
  end case;
  case interlock.is_guest(p_to_user_id)
    when false then
      null;
    when true then
      perform interlock.raise_error('ACCOUNT_NEEDED', jsonb_build_object('user_id', p_to_user_id));
    else
      perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_to_user_id));
  end case;

  -- An answer that was given while the accounts were waited for.
  if exists (
    select
    from interlock.idempotency_keys k
    where k.user_id = p_from_user_id
      and k.expires_at > interlock.clock()
      and not exists (
        select
        from interlock.idempotency_keys c
        where (c.user_id, c.operation, c.key) = (p_to_user_id, k.operation, k.key)
      )
  ) then
    raise exception using errcode = 'lock_not_available', message = 'the guest is ordering at this moment';
  end if;

  if not pg_try_advisory_xact_lock(hashtextextended('interlock limits ' || p_to_user_id, 0)) or exists (
    select
    from (select distinct o.cart_id from interlock.orders o where o.user_id = p_from_user_id and o.cart_id is not null) c
    where not pg_try_advisory_xact_lock(
      hashtextextended(format('interlock cart %s %s', p_to_user_id, c.cart_id), 0)
    )
  ) then
    raise exception using errcode = 'lock_not_available', message = 'the account is ordering at this moment';
  end if;

  v_reserved := interlock.move_reservation(p_from_user_id, p_to_user_id);

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select array_agg(m.id)
  into v_order_ids
  from (
    select o.id from interlock.orders o where o.user_id = p_from_user_id order by o.id for no key update
  ) m;

  perform set_config('interlock.moving', 'on', true);
  update interlock.orders o
  set user_id = p_to_user_id,
      cart_id = case
        when not exists (
          select
          from interlock.orders c
          where c.user_id = p_to_user_id
            and c.cart_id = o.cart_id
            and c.status not in ('cancelled', 'expired', 'refunded')
        ) then o.cart_id
      end
  where o.id = any (v_order_ids);
  perform set_config('interlock.moving', '', true);

  insert into interlock.customer_open_orders (user_id)
  select p_to_user_id
  from interlock.customer_open_orders c
  where c.user_id = p_from_user_id
  on conflict do nothing;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1
  from interlock.customer_open_orders c
  where c.user_id in (p_from_user_id, p_to_user_id)
  order by c.user_id
  for no key update;
  update interlock.customer_open_orders c
  set orders = case c.user_id when p_to_user_id then c.orders + g.orders else 0 end,
      units = case c.user_id when p_to_user_id then c.units + g.units else 0 end
  from interlock.customer_open_orders g
  where g.user_id = p_from_user_id
    and c.user_id in (p_from_user_id, p_to_user_id);

  v_transfer.id := coalesce(v_transfer.id, interlock.new_id());
  v_money := interlock.move_wallet_money(p_from_user_id, p_to_user_id, v_transfer.id);
  perform interlock.move_promo_uses(p_from_user_id, p_to_user_id);
  if v_reserved.o_product_ids is not null then
    perform interlock.return_stock(
      v_reserved.o_product_ids, v_reserved.o_quantities, 'cart_released', v_reserved.o_id
    );
  end if;

  insert into interlock.order_transfers as t (
    id, from_user_id, to_user_id, moved_at, orders, amount, currency, actor
  )
  values (
    v_transfer.id, p_from_user_id, p_to_user_id, interlock.clock(), coalesce(cardinality(v_order_ids), 0), v_money.o_amount,
    v_money.o_currency, auth.uid()
  )
  on conflict on constraint order_transfers_pkey do update
    set to_user_id = excluded.to_user_id,
        moved_at = excluded.moved_at,
        orders = excluded.orders,
        amount = excluded.amount,
        currency = excluded.currency,
        actor = excluded.actor
  returning t.* into v_transfer;

  return interlock.transfer_answer(v_transfer);
end
$$;
