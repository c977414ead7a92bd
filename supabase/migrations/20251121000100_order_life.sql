-- What becomes of an order: payment, hand-over, cancellation, refund, expiry.
--
-- The effects are a trigger on orders, so they follow the status whoever changes it, and
-- exactly once: the row is locked, the transitions end in final statuses
-- (20251117000200_orders.sql), and an order ends in one statement only.
--
--   to paid        the codes of its digital products are delivered
--   to cancelled,  wallet money goes back to the wallet, the promo use to the code, stock to
--   expired,       the shelf, codes that nobody has seen to the free ones
--   refunded
--
-- What does not come back by itself:
--   * a delivered code: the buyer has seen it, so it stays with the order and is not sold
--     again (it cannot be read any more, either);
--   * stock of a fulfilled order: the goods have left. Book them in when they are back,
--     with `update public.products set available_quantity = available_quantity + …`;
--   * money paid by bank transfer or in cash: the shop pays it back itself;
--   * wallet money of an account that was deleted.
--
-- The functions are safe to call again: asked for the status an order already has, they
-- answer success and do nothing. They differ in who may call them and from which status:
--
--   cancel_order    the buyer while unpaid; staff and the shop until it is handed over
--   accept_payment  pending_payment, confirmed → paid        the shop (service role)
--   reject_payment  pending_payment → cancelled               the shop
--   fulfill_order   paid → fulfilled                          the shop
--   refund_order    paid, fulfilled → refunded                the shop
--   expire_orders   pending_payment, past its time and without a proof → expired
--
-- A payment proof is a file the buyer has uploaded to the private bucket `payment-proofs`
-- under USER_ID/ORDER_ID/. Handing it in (submit_payment_proof) stops the expiry: from
-- then on the shop decides. Bucket and policies are made where the storage schema exists.
--
-- pg_cron expires orders every minute where it exists when this is applied. If you enable
-- it later:
--
--   select cron.schedule('interlock-expire-orders', '* * * * *', 'select private.expire_orders(100)');
--
-- Tests: supabase/tests/10-checkout-schema.sql, 14-order-life.sql

set local lock_timeout = '5s';

create table public.payment_proofs (
  id bigint generated always as identity
    constraint payment_proofs_pkey primary key,
  order_id uuid not null
    constraint payment_proofs_order_id_fkey references public.orders (id),
  object_path text not null
    constraint payment_proofs_object_path_length check (char_length(object_path) between 1 and 500),
  status text not null default 'submitted'
    constraint payment_proofs_status_known check (status in ('submitted', 'accepted', 'rejected')),
  created_at timestamptz not null default now(),
  decided_at timestamptz,
  constraint payment_proofs_unique unique (order_id, object_path),
  constraint payment_proofs_decided_has_time check ((status = 'submitted') = (decided_at is null))
);

comment on table public.payment_proofs is
  'Payment proofs handed in by buyers: files in the bucket payment-proofs, accepted or rejected by the shop.';
comment on column public.payment_proofs.object_path is
  'Path of the file in the bucket payment-proofs: USER_ID/ORDER_ID/…';

alter table public.payment_proofs enable row level security;

revoke all on table public.payment_proofs from public, anon, authenticated, service_role;
revoke all on sequence public.payment_proofs_id_seq from public, anon, authenticated, service_role;
grant select on table public.payment_proofs to authenticated, service_role;

create policy payment_proofs_select_own_or_staff
  on public.payment_proofs
  for select
  to authenticated
  using (
    (select private.is_staff())
    or exists (
      select 1
      from public.orders o
      where o.id = order_id
        and o.user_id = (select auth.uid())
    )
  );

-- Purpose: what a new status of orders brings with it (see above).
-- Callers: trigger orders_settle, once for each statement.
-- Locks: the orders are locked by the statement; then wallets by user, promo as
--   private.return_promos says, stock rows by id, codes of the orders.
-- Errors: 55P03 after lock_timeout.
-- Security definer: whoever may change an order need not have rights on the rest.
-- Tests: supabase/tests/14-order-life.sql
create function private.settle_orders()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_paid uuid[];
  v_ended uuid[];
  v_order record;
begin
  -- Grouped, not joined: see private.record_stock_movements.
  select
    array_agg(c.id) filter (where c.new_status = 'paid'),
    array_agg(c.id order by c.id) filter (where c.new_status <> 'paid')
  into v_paid, v_ended
  from (
    select u.id, max(u.new_status) as new_status
    from (
      select n.id, n.status as new_status, null as old_status from new_rows n
      union all
      select o.id, null, o.status from old_rows o
    ) u
    group by u.id
    having max(u.new_status) <> max(u.old_status)
  ) c
  where c.new_status in ('paid', 'cancelled', 'expired', 'refunded');

  if v_paid is not null then
    update public.product_codes c
    set used_at = private.clock()
    where c.order_id = any (v_paid)
      and c.used_at is null;
  end if;

  if v_ended is null then
    return null;
  end if;

  for v_order in
    select o.id, o.user_id, o.total, o.currency, o.status
    from public.orders o
    where o.id = any (v_ended)
      and o.payment_method = 'wallet'
      and o.paid_at is not null
      and o.total > 0
      and o.user_id is not null
    order by o.user_id, o.id
  loop
    perform private.credit_wallet(
      v_order.user_id, v_order.total, v_order.currency, 'order_' || v_order.status, v_order.id
    );
  end loop;

  perform private.return_promos(v_ended);

  perform private.lock_stock(array(
    select i.product_id from public.order_items i where i.order_id = any (v_ended)
    union
    select c.product_id from public.product_codes c where c.order_id = any (v_ended)
  ));

  for v_order in
    select o.id, o.status, o.fulfilled_at
    from public.orders o
    where o.id = any (v_ended)
    order by o.id
  loop
    if v_order.fulfilled_at is null then
      perform private.return_stock(
        array_agg(i.product_id), array_agg(i.quantity), 'order_' || v_order.status, v_order.id
      )
      from public.order_items i
      where i.order_id = v_order.id;
    end if;

    perform private.set_ledger_context('order_' || v_order.status, v_order.id);
    update public.product_codes c
    set order_id = null
    where c.order_id = v_order.id
      and c.used_at is null;
    perform private.set_ledger_context(null, null);
  end loop;

  return null;
end
$$;

comment on function private.settle_orders() is
  'Trigger: delivers codes of paid orders; gives back money, promo use, stock and unseen codes of ended ones.';

revoke all on function private.settle_orders() from public, anon, authenticated, service_role;

create trigger orders_settle
  after update on public.orders
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function private.settle_orders();

-- Purpose: bring one order to a status, once. An order that has it already stays as it is.
-- Callers: the functions below.
-- Locks: the order; then as private.settle_orders.
-- Errors: ORDER_NOT_FOUND, and p_refusal with the status if the order is in none of p_from.
-- Tests: supabase/tests/14-order-life.sql
create function private.move_order(p_order_id uuid, p_from text[], p_to text, p_refusal text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_status constant text := private.lock_order(p_order_id);
begin
  if v_status is null then
    perform private.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  elsif v_status = p_to then
    return;
  elsif v_status <> all (p_from) then
    perform private.raise_error(p_refusal, jsonb_build_object('order_id', p_order_id, 'status', v_status));
  end if;

  update public.orders o
  set status = p_to
  where o.id = p_order_id;
end
$$;

comment on function private.move_order(uuid, text[], text, text) is
  'Brings one order to a status, once, or refuses with the status it has.';

revoke all on function private.move_order(uuid, text[], text, text) from public, anon, authenticated, service_role;

-- Purpose: the answer of the functions below.
-- Callers: those. Locks: none. Errors: none.
-- Tests: supabase/tests/14-order-life.sql
create function private.order_answer(p_order_id uuid)
returns json
language plpgsql
set search_path = ''
as $$
begin
  return jsonb_build_object('success', true, 'order', private.order_to_json(p_order_id))::text::json;
end
$$;

comment on function private.order_answer(uuid) is
  'The answer of the functions of an order''s life: success and the order.';

revoke all on function private.order_answer(uuid) from public, anon, authenticated, service_role;

-- Purpose: whether the caller acts for the shop: the service role, or staff by token. The
--   role setting is the role of the request; it stays when a definer function begins.
-- Callers: private.cancel_order. Locks: none. Errors: none.
-- Tests: supabase/tests/14-order-life.sql
create function private.acts_for_shop()
returns boolean
language sql
stable
set search_path = ''
as $$
  select current_setting('role') = 'service_role' or private.is_staff()
$$;

comment on function private.acts_for_shop() is
  'Whether the caller is the service role or staff by token.';

revoke all on function private.acts_for_shop() from public, anon, authenticated, service_role;

-- Purpose: the whole of public.cancel_order.
-- Callers: authenticated and service_role, through public.cancel_order.
-- Locks: idempotency key, order, then as private.settle_orders; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, ORDER_NOT_FOUND (also for somebody else's
--   order), ORDER_NOT_CANCELLABLE, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
-- Tests: supabase/tests/14-order-life.sql
create function private.cancel_order(p_order_id uuid, p_idempotency_key text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_shop constant boolean := private.acts_for_shop();
  v_answer text;
begin
  if auth.uid() is null and not v_shop then
    perform private.raise_error('UNAUTHENTICATED');
  end if;
  if p_order_id is null then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
      jsonb_build_object('pointer', '/p_order_id', 'message', 'is required')
    )));
  end if;

  v_answer := private.begin_idempotent(
    'cancel_order', p_idempotency_key, jsonb_build_object('order_id', p_order_id)
  );
  if v_answer is not null then
    return v_answer::json;
  end if;

  if not exists (
    select 1
    from public.orders o
    where o.id = p_order_id
      and (v_shop or o.user_id = auth.uid())
  ) then
    perform private.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  perform private.move_order(
    p_order_id,
    case
      when v_shop then array['pending_payment', 'confirmed', 'paid']
      else array['pending_payment', 'confirmed']
    end,
    'cancelled',
    'ORDER_NOT_CANCELLABLE'
  );

  v_answer := private.order_answer(p_order_id)::text;
  perform private.finish_idempotent('cancel_order', p_idempotency_key, v_answer);
  return v_answer::json;
end
$$;

comment on function private.cancel_order(uuid, text) is
  'The whole of public.cancel_order, with its owner''s rights.';

revoke all on function private.cancel_order(uuid, text) from public, anon, authenticated, service_role;
grant execute on function private.cancel_order(uuid, text) to authenticated, service_role;

-- Purpose: the RPC. Cancels an order: the buyer while it is unpaid, staff and the shop
--   until it is handed over. Called again it answers the same.
-- Callers: authenticated, service_role.
-- Locks and errors: as private.cancel_order.
-- Tests: supabase/tests/02-roles.sql, 14-order-life.sql
create function public.cancel_order(p_order_id uuid, p_idempotency_key text default null)
returns json
language sql
security invoker
set search_path = ''
as $$
  select private.cancel_order(p_order_id, p_idempotency_key)
$$;

comment on function public.cancel_order(uuid, text) is
  'Cancels an order: its buyer while unpaid, the shop until it is handed over. Stock, promo use and wallet money come back.';

revoke all on function public.cancel_order(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.cancel_order(uuid, text) to authenticated, service_role;

-- Purpose: the whole of public.refund_order.
-- Callers: service_role, through public.refund_order.
-- Locks: order, then as private.settle_orders; each wait two seconds at most.
-- Errors: ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
-- Tests: supabase/tests/14-order-life.sql
create function private.refund_order(p_order_id uuid)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  perform private.move_order(p_order_id, array['paid', 'fulfilled'], 'refunded', 'ORDER_STATE_CONFLICT');
  return private.order_answer(p_order_id);
end
$$;

comment on function private.refund_order(uuid) is
  'The whole of public.refund_order, with its owner''s rights.';

revoke all on function private.refund_order(uuid) from public, anon, authenticated, service_role;
grant execute on function private.refund_order(uuid) to service_role;

-- Purpose: the RPC for the shop's own code: refund a paid order, once.
-- Callers: service_role.
-- Locks and errors: as private.refund_order.
-- Tests: supabase/tests/02-roles.sql, 14-order-life.sql
create function public.refund_order(p_order_id uuid)
returns json
language sql
security invoker
set search_path = ''
as $$
  select private.refund_order(p_order_id)
$$;

comment on function public.refund_order(uuid) is
  'Refunds a paid order, once: wallet money, promo use and stock come back. For the service role.';

revoke all on function public.refund_order(uuid) from public, anon, authenticated, service_role;
grant execute on function public.refund_order(uuid) to service_role;

-- Purpose: the whole of public.fulfill_order.
-- Callers: service_role, through public.fulfill_order.
-- Locks: the order, two seconds at most.
-- Errors: ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
-- Tests: supabase/tests/14-order-life.sql
create function private.fulfill_order(p_order_id uuid)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  perform private.move_order(p_order_id, array['paid'], 'fulfilled', 'ORDER_STATE_CONFLICT');
  return private.order_answer(p_order_id);
end
$$;

comment on function private.fulfill_order(uuid) is
  'The whole of public.fulfill_order, with its owner''s rights.';

revoke all on function private.fulfill_order(uuid) from public, anon, authenticated, service_role;
grant execute on function private.fulfill_order(uuid) to service_role;

-- Purpose: the RPC for the shop's own code: a paid order was handed over.
-- Callers: service_role.
-- Locks and errors: as private.fulfill_order.
-- Tests: supabase/tests/02-roles.sql, 14-order-life.sql
create function public.fulfill_order(p_order_id uuid)
returns json
language sql
security invoker
set search_path = ''
as $$
  select private.fulfill_order(p_order_id)
$$;

comment on function public.fulfill_order(uuid) is
  'Marks a paid order as handed over. For the service role.';

revoke all on function public.fulfill_order(uuid) from public, anon, authenticated, service_role;
grant execute on function public.fulfill_order(uuid) to service_role;

-- Purpose: decide an order's payment and with it its open proofs: accepted (paid), or
--   rejected (cancelled, everything comes back).
-- Callers: service_role, through public.accept_payment and public.reject_payment.
-- Locks: order, then as private.settle_orders; each wait two seconds at most.
-- Errors: ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
-- Tests: supabase/tests/14-order-life.sql
create function private.decide_payment(p_order_id uuid, p_accept boolean)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if p_accept then
    perform private.move_order(
      p_order_id, array['pending_payment', 'confirmed'], 'paid', 'ORDER_STATE_CONFLICT'
    );
  else
    perform private.move_order(p_order_id, array['pending_payment'], 'cancelled', 'ORDER_STATE_CONFLICT');
  end if;

  update public.payment_proofs f
  set status = case when p_accept then 'accepted' else 'rejected' end,
      decided_at = private.clock()
  where f.order_id = p_order_id
    and f.status = 'submitted';

  return private.order_answer(p_order_id);
end
$$;

comment on function private.decide_payment(uuid, boolean) is
  'The whole of public.accept_payment and public.reject_payment, with its owner''s rights.';

revoke all on function private.decide_payment(uuid, boolean) from public, anon, authenticated, service_role;
grant execute on function private.decide_payment(uuid, boolean) to service_role;

-- Purpose: the RPC for the shop's own code: the money is there.
-- Callers: service_role.
-- Locks and errors: as private.decide_payment.
-- Tests: supabase/tests/02-roles.sql, 14-order-life.sql
create function public.accept_payment(p_order_id uuid)
returns json
language sql
security invoker
set search_path = ''
as $$
  select private.decide_payment(p_order_id, true)
$$;

comment on function public.accept_payment(uuid) is
  'The payment of an order has come: it is paid, its codes are delivered. For the service role.';

revoke all on function public.accept_payment(uuid) from public, anon, authenticated, service_role;
grant execute on function public.accept_payment(uuid) to service_role;

-- Purpose: the RPC for the shop's own code: the money will not come.
-- Callers: service_role.
-- Locks and errors: as private.decide_payment.
-- Tests: supabase/tests/02-roles.sql, 14-order-life.sql
create function public.reject_payment(p_order_id uuid)
returns json
language sql
security invoker
set search_path = ''
as $$
  select private.decide_payment(p_order_id, false)
$$;

comment on function public.reject_payment(uuid) is
  'The payment of an order by bank transfer is rejected: it is cancelled, everything comes back. For the service role.';

revoke all on function public.reject_payment(uuid) from public, anon, authenticated, service_role;
grant execute on function public.reject_payment(uuid) to service_role;

-- Purpose: end orders that were not paid in time, the oldest first; answers how many.
-- Callers: pg_cron; service_role, also through public.expire_orders.
-- Locks: due orders that nobody else is locking (skip locked); then as private.settle_orders.
-- Errors: 55P03 is transient.
-- Security definer: nobody has the right to write orders.
-- Tests: supabase/tests/14-order-life.sql
create function private.expire_orders(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_expired int;
begin
  -- The lock compares again on the newest version of the row: an order that was paid or
  -- got a proof meanwhile drops out.
  with due as materialized (
    select o.id
    from public.orders o
    where o.status = 'pending_payment'
      and o.proof_submitted_at is null
      and o.payment_expires_at <= private.clock()
    order by o.payment_expires_at
    limit greatest(coalesce(p_limit, 100), 0)
    for no key update skip locked
  )
  update public.orders o
  set status = 'expired'
  from due d
  where o.id = d.id;

  get diagnostics v_expired = row_count;
  return v_expired;
end
$$;

comment on function private.expire_orders(int) is
  'Ends up to p_limit orders that were not paid in time; answers how many.';

revoke all on function private.expire_orders(int) from public, anon, authenticated, service_role;
grant execute on function private.expire_orders(int) to service_role;

-- Purpose: the RPC for shops without pg_cron.
-- Callers: service_role.
-- Locks and errors: as private.expire_orders.
-- Tests: supabase/tests/02-roles.sql, 14-order-life.sql
create function public.expire_orders(p_limit int default 100)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'expired', private.expire_orders(p_limit))
$$;

comment on function public.expire_orders(int) is
  'Ends up to p_limit orders that were not paid in time. For the service role.';

revoke all on function public.expire_orders(int) from public, anon, authenticated, service_role;
grant execute on function public.expire_orders(int) to service_role;

-- Purpose: the whole of public.submit_payment_proof.
-- Callers: authenticated and service_role, through public.submit_payment_proof.
-- Locks: the order, two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED (path outside the buyer's folder of this order,
--   or no such file where the storage schema exists), ORDER_NOT_FOUND, ORDER_STATE_CONFLICT;
--   55P03 is transient.
-- Security definer: nobody has the right to write orders and proofs.
-- Tests: supabase/tests/14-order-life.sql
create function private.submit_payment_proof(p_order_id uuid, p_object_path text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_folder constant text := format('%s/%s/', v_user_id, p_order_id);
  v_objects constant regclass := to_regclass('storage.objects');
  v_uploaded boolean;
  v_problem text;
  v_status text;
begin
  if v_user_id is null then
    perform private.raise_error('UNAUTHENTICATED');
  end if;

  if p_order_id is null then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
      jsonb_build_object('pointer', '/p_order_id', 'message', 'is required')
    )));
  end if;

  if not exists (select 1 from public.orders o where o.id = p_order_id and o.user_id = v_user_id) then
    perform private.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  if p_object_path is null
    or char_length(p_object_path) > 500
    or not starts_with(p_object_path, v_folder)
    or substr(p_object_path, char_length(v_folder) + 1) !~ '^[A-Za-z0-9][A-Za-z0-9._ -]*$'
  then
    v_problem := 'must be the path of a file in ' || v_folder;
  elsif v_objects is not null then
    execute format('select exists (select 1 from %s o where o.bucket_id = $1 and o.name = $2)', v_objects)
    into v_uploaded
    using 'payment-proofs', p_object_path;
    if not v_uploaded then
      v_problem := 'is not the path of an uploaded file';
    end if;
  end if;

  if v_problem is not null then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
      jsonb_build_object('pointer', '/p_object_path', 'message', v_problem)
    )));
  end if;

  v_status := private.lock_order(p_order_id);

  if not exists (
    select 1
    from public.payment_proofs f
    where f.order_id = p_order_id
      and f.object_path = p_object_path
  ) then
    if v_status <> 'pending_payment' then
      perform private.raise_error(
        'ORDER_STATE_CONFLICT', jsonb_build_object('order_id', p_order_id, 'status', v_status)
      );
    end if;

    update public.orders o
    set proof_submitted_at = private.clock()
    where o.id = p_order_id;

    insert into public.payment_proofs (order_id, object_path)
    values (p_order_id, p_object_path);
  end if;

  return private.order_answer(p_order_id);
end
$$;

comment on function private.submit_payment_proof(uuid, text) is
  'The whole of public.submit_payment_proof, with its owner''s rights.';

revoke all on function private.submit_payment_proof(uuid, text) from public, anon, authenticated, service_role;
grant execute on function private.submit_payment_proof(uuid, text) to authenticated, service_role;

-- Purpose: the RPC. Hands in a payment proof for an order that waits for its payment;
--   from then on it does not expire. The same file again answers the same.
-- Callers: authenticated; service_role acting with a user's claims.
-- Locks and errors: as private.submit_payment_proof.
-- Tests: supabase/tests/02-roles.sql, 14-order-life.sql
create function public.submit_payment_proof(p_order_id uuid, p_object_path text)
returns json
language sql
security invoker
set search_path = ''
as $$
  select private.submit_payment_proof(p_order_id, p_object_path)
$$;

comment on function public.submit_payment_proof(uuid, text) is
  'Hands in a payment proof (a file in the bucket payment-proofs) for an order that waits for its payment.';

revoke all on function public.submit_payment_proof(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.submit_payment_proof(uuid, text) to authenticated, service_role;

do $$
begin
  if to_regprocedure('cron.schedule(text, text, text)') is not null then
    perform cron.schedule('interlock-expire-orders', '* * * * *', 'select private.expire_orders(100)');
  end if;
end
$$;

-- The bucket, and who may read and write in it: a buyer uploads to the folder of an order
-- of theirs and reads what is there, staff reads all. Nobody changes or deletes a proof.
do $$
begin
  if to_regclass('storage.buckets') is null or to_regclass('storage.objects') is null then
    return;
  end if;

  insert into storage.buckets (id, name, public)
  values ('payment-proofs', 'payment-proofs', false)
  on conflict (id) do update set public = false;

  create policy interlock_payment_proofs_insert_own
    on storage.objects
    for insert
    to authenticated
    with check (
      bucket_id = 'payment-proofs'
      and split_part(name, '/', 1) = (select auth.uid())::text
      and exists (
        select 1
        from public.orders o
        where o.id::text = split_part(objects.name, '/', 2)
          and o.user_id = (select auth.uid())
      )
    );

  create policy interlock_payment_proofs_select_own_or_staff
    on storage.objects
    for select
    to authenticated
    using (
      bucket_id = 'payment-proofs'
      and (split_part(name, '/', 1) = (select auth.uid())::text or (select private.is_staff()))
    );
end
$$;
