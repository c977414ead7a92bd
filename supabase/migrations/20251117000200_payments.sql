-- Wallets and payment proofs.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- Path of a file in the bucket payment-proofs.
create domain interlock.object_path as text
  constraint payment_proofs_object_path_length check (char_length(value) between 1 and 500);

create domain interlock.payment_proof_status as text
  constraint payment_proofs_status_known check (value in ('submitted', 'accepted', 'rejected'));

-- Write the wallet ledger; refuse another owner or currency for a wallet.
--
-- Callers: trigger wallets_record_movement.
-- Locks: none beyond the rows it inserts; the wallet is locked by the statement.
-- Errors: 23514 check_violation with constraint name wallets_identity_fixed.
-- Security definer: nobody has insert on wallet_movements.
create function interlock.record_wallet_movement()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_reason text := nullif(current_setting('interlock.reason', true), '');
  v_reference_id constant uuid := nullif(current_setting('interlock.reference_id', true), '')::uuid;
  v_delta bigint;
  v_wallet interlock.wallets;
begin
  case tg_op
    when 'INSERT' then
      v_wallet := new;
      v_delta := new.balance;
    when 'UPDATE' then
      if (new.user_id, new.currency) is distinct from (old.user_id, old.currency) then
        raise exception using
          errcode = 'check_violation',
          schema = tg_table_schema,
          table = tg_table_name,
          constraint = 'wallets_identity_fixed',
          message = format('owner and currency of wallet %s cannot change', old.user_id);
      end if;
      v_wallet := new;
      v_delta := new.balance - old.balance;
    else
      v_wallet := old;
      v_delta := -old.balance;
      v_wallet.balance := 0;
      v_reason := 'closed';
  end case;

  if v_delta <> 0 then
    insert into interlock.wallet_movements (user_id, delta, balance_after, currency, reason, reference_id, actor)
    values (
      v_wallet.user_id,
      v_delta,
      v_wallet.balance,
      v_wallet.currency,
      coalesce(v_reason, case tg_op when 'INSERT' then 'opening' else 'correction' end),
      v_reference_id,
      auth.uid()
    );
  end if;

  return null;
end
$$;

-- Payment proofs of bank transfers: a file that the buyer has uploaded to the private bucket `payment-proofs` under
-- USER_ID/ORDER_ID/ (payments/storage.sql). Handing it in (public.submit_payment_proof) stops the expiry of the order:
-- from then on the shop decides.
create table interlock.payment_proofs (
  id bigint generated always as identity
    constraint payment_proofs_pkey primary key,
  order_id uuid not null
    constraint payment_proofs_order_id_fkey references interlock.orders (id),
  object_path interlock.object_path not null,
  status interlock.payment_proof_status not null default 'submitted',
  created_at timestamptz not null default now(),
  decided_at timestamptz,
  constraint payment_proofs_unique unique (order_id, object_path),
  constraint payment_proofs_decided_has_time check ((status = 'submitted') = (decided_at is null))
);

comment on table interlock.payment_proofs is
  'Payment proofs handed in by buyers: files in the bucket payment-proofs, accepted or rejected by the shop.';
comment on column interlock.payment_proofs.object_path is
  'Path of the file in the bucket payment-proofs: USER_ID/ORDER_ID/…';

alter table interlock.payment_proofs enable row level security;

grant select on table interlock.payment_proofs to authenticated, service_role;

create policy payment_proofs_select_own
  on interlock.payment_proofs
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

-- The wallet ledger, append-only, written by a trigger on wallets.
--
-- Reasons of ours: top_up, checkout, order_cancelled, order_refunded, opening (insert by the shop's own SQL), closed
-- (wallet deleted), correction (the shop's own SQL).
create table interlock.wallet_movements (
  id bigint generated always as identity,
  user_id uuid not null,
  delta interlock.amount_change not null,
  balance_after bigint not null,
  currency char(3) not null,
  reason interlock.movement_reason not null,
  reference_id uuid,
  actor uuid,
  created_at timestamptz not null default now(),
  -- The ledger of one wallet is read in this order.
  constraint wallet_movements_pkey primary key (user_id, id)
);

comment on table interlock.wallet_movements is
  'Append-only wallet ledger, written by a trigger on wallets. Nobody can change or delete a row.';
comment on column interlock.wallet_movements.reference_id is
  'What it was for: the order, or the shop''s own reference of a top-up.';
comment on column interlock.wallet_movements.actor is
  'The signed-in user who did it; empty for the shop and for jobs.';

-- A payment the shop has booked is booked once, however often it says so.
create unique index wallet_movements_one_top_up
  on interlock.wallet_movements (user_id, reference_id)
  where reason = 'top_up' and reference_id is not null;

create trigger wallet_movements_append_only
  before update or delete on interlock.wallet_movements
  for each row
  execute function interlock.refuse_change();

create trigger wallet_movements_no_truncate
  before truncate on interlock.wallet_movements
  for each statement
  execute function interlock.refuse_change();

alter table interlock.wallet_movements enable row level security;

grant select on table interlock.wallet_movements to authenticated, service_role;

create policy wallet_movements_select_own
  on interlock.wallet_movements
  for select
  to authenticated
  using (user_id = (select auth.uid()));

-- Wallets: money a user has with the shop.
--
-- A wallet holds one currency. Every change of a balance, by whatever code, leaves a row in wallet_movements through a
-- trigger; the view wallet_differences is always empty. The context of a change is given as for stock
-- (interlock.set_ledger_context).
--
-- Deleting an account deletes its wallet; the ledger keeps the closing row.
create table interlock.wallets (
  user_id uuid
    constraint wallets_pkey primary key
    constraint wallets_user_id_fkey references auth.users (id) on delete cascade,
  balance bigint not null default 0
    constraint wallets_balance_nonnegative check (balance >= 0),
  currency interlock.currency_code not null,
  created_at timestamptz not null default now()
);

comment on table interlock.wallets is
  'Money a user has with the shop, in minor units. Changed by checkout, top-ups and refunds only.';
comment on column interlock.wallets.balance is
  'Minor units of the currency; never negative.';

create trigger wallets_record_movement
  after insert or update or delete on interlock.wallets
  for each row
  execute function interlock.record_wallet_movement();

create trigger wallets_no_truncate
  before truncate on interlock.wallets
  for each statement
  execute function interlock.refuse_change();

alter table interlock.wallets enable row level security;

grant select on table interlock.wallets to authenticated, service_role;

create policy wallets_select_own
  on interlock.wallets
  for select
  to authenticated
  using (user_id = (select auth.uid()));

-- Add money to a wallet (negative amounts never come here), making it if needed.
--
-- Callers: interlock.top_up_wallet, the release of orders.
-- Locks: the wallet's row, waiting. Errors: CURRENCY_MISMATCH; 55P03 after lock_timeout.
create function interlock.credit_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reason text,
  p_reference_id uuid
)
returns interlock.wallets
language plpgsql
set search_path = ''
as $$
declare
  v_wallet interlock.wallets;
begin
  perform interlock.set_ledger_context(p_reason, p_reference_id);

  insert into interlock.wallets as w (user_id, balance, currency)
  values (p_user_id, p_amount, p_currency)
  on conflict (user_id) do update
    set balance = w.balance + excluded.balance
    where w.currency = excluded.currency
  returning w.* into v_wallet;

  perform interlock.set_ledger_context(null, null);

  if v_wallet.user_id is null then
    select w.* into v_wallet from interlock.wallets w where w.user_id = p_user_id;
    perform interlock.raise_error(
      'CURRENCY_MISMATCH',
      jsonb_build_object('currency', p_currency, 'wallet_currency', v_wallet.currency)
    );
  end if;

  return v_wallet;
end
$$;

-- Pay from the wallet that interlock.lock_wallet has locked.
--
-- Callers: interlock.checkout.
-- Locks: the wallet's row, held already.
-- Errors: INSUFFICIENT_FUNDS (no wallet counts as an empty one), CURRENCY_MISMATCH.
create function interlock.debit_wallet(p_wallet interlock.wallets, p_amount bigint, p_currency text, p_order_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_amount = 0 then
    return;
  end if;

  if p_wallet.currency <> p_currency then
    perform interlock.raise_error(
      'CURRENCY_MISMATCH',
      jsonb_build_object('currency', p_currency, 'wallet_currency', p_wallet.currency)
    );
  end if;

  if coalesce(p_wallet.balance, 0) < p_amount then
    perform interlock.raise_error(
      'INSUFFICIENT_FUNDS',
      jsonb_build_object('balance', coalesce(p_wallet.balance, 0), 'amount', p_amount, 'currency', p_currency)
    );
  end if;

  perform interlock.set_ledger_context('checkout', p_order_id);

  update interlock.wallets w
  set balance = w.balance - p_amount
  where w.user_id = p_wallet.user_id;

  perform interlock.set_ledger_context(null, null);
end
$$;

-- Decide an order's payment and with it its open proofs: accepted (paid), or rejected (cancelled, everything
-- comes back).
--
-- Callers: service_role, through public.accept_payment and public.reject_payment.
-- Locks: order, then as interlock.settle_orders; each wait two seconds at most.
-- Errors: ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.decide_payment(p_order_id uuid, p_accept boolean)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if p_accept then
    perform interlock.move_order(
      p_order_id, array['pending_payment', 'confirmed'], 'paid', 'ORDER_STATE_CONFLICT'
    );
  else
    perform interlock.move_order(p_order_id, array['pending_payment'], 'cancelled', 'ORDER_STATE_CONFLICT');
  end if;

  update interlock.payment_proofs f
  set status = case when p_accept then 'accepted' else 'rejected' end,
      decided_at = interlock.clock()
  where f.order_id = p_order_id
    and f.status = 'submitted';

  return interlock.order_answer(p_order_id);
end
$$;

-- Lock a user's wallet; the one helper for this kind of lock.
--
-- Callers: interlock.checkout. Locks: the wallet's row, waiting, `no key`.
-- Errors: 55P03 after lock_timeout. A row of nulls if the user has none.
create function interlock.lock_wallet(p_user_id uuid)
returns interlock.wallets
language plpgsql
set search_path = ''
as $$
declare
  v_wallet interlock.wallets;
begin
  select w.* into v_wallet from interlock.wallets w where w.user_id = p_user_id for no key update;
  return v_wallet;
end
$$;

-- What public.submit_payment_proof does, with its owner's rights.
--
-- Callers: authenticated and service_role, through public.submit_payment_proof.
-- Locks: the order, two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED (path outside the buyer's folder of this order, or no such file
--   where the storage schema exists), ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write orders and proofs.
create function interlock.submit_payment_proof(p_order_id uuid, p_object_path text)
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
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;

  if p_order_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_order_id', 'is required'));
  end if;

  if not exists (select 1 from interlock.orders o where o.id = p_order_id and o.user_id = v_user_id) then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
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
    perform interlock.refuse_problems(interlock.problem('/p_object_path', v_problem));
  end if;

  v_status := interlock.lock_order(p_order_id);

  if not exists (
    select 1
    from interlock.payment_proofs f
    where f.order_id = p_order_id
      and f.object_path = p_object_path
  ) then
    if v_status <> 'pending_payment' then
      perform interlock.raise_error(
        'ORDER_STATE_CONFLICT', jsonb_build_object('order_id', p_order_id, 'status', v_status)
      );
    end if;

    update interlock.orders o
    set proof_submitted_at = interlock.clock()
    where o.id = p_order_id;

    insert into interlock.payment_proofs (order_id, object_path)
    values (p_order_id, p_object_path);
  end if;

  return interlock.order_answer(p_order_id);
end
$$;

-- What public.top_up_wallet does, with its owner's rights. With a reference a top-up counts once for that user:
-- the same call again answers the same and adds nothing; another amount under the same reference is refused.
--
-- Callers: service_role, through public.top_up_wallet.
-- Locks: the wallet's row, two seconds at most.
-- Errors: VALIDATION_FAILED, USER_NOT_FOUND, CURRENCY_MISMATCH, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has insert or update on wallets.
create function interlock.top_up_wallet(p_user_id uuid, p_amount bigint, p_currency text, p_reference uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_booked interlock.wallet_movements;
  v_wallet interlock.wallets;
begin
  if p_user_id is null then
    v_problems := v_problems || interlock.problem('/p_user_id', 'is required');
  end if;
  if p_amount is null or p_amount not between 1 and 1000000000000 then
    v_problems := v_problems || interlock.problem('/p_amount', 'must be an integer from 1 to 1000000000000');
  end if;
  if p_currency is null or p_currency !~ '^[A-Z]{3}$' then
    v_problems := v_problems || interlock.problem('/p_currency', 'must be three capital letters');
  end if;
  perform interlock.refuse_problems(v_problems);

  if not exists (select 1 from auth.users u where u.id = p_user_id) then
    perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_user_id));
  end if;

  -- The wallet is locked before the look for an earlier booking, so that of two equal
  -- calls the second sees the first; a wallet that both of them make collides instead.
  insert into interlock.wallets (user_id, currency)
  values (p_user_id, p_currency)
  on conflict (user_id) do nothing;
  v_wallet := interlock.lock_wallet(p_user_id);

  if p_reference is not null then
    select m.*
    into v_booked
    from interlock.wallet_movements m
    where m.user_id = p_user_id
      and m.reference_id = p_reference
      and m.reason = 'top_up';
  end if;

  if v_booked.id is null then
    v_wallet := interlock.credit_wallet(p_user_id, p_amount, p_currency, 'top_up', p_reference);
  elsif (v_booked.delta, v_booked.currency) is distinct from (p_amount, p_currency::char(3)) then
    perform interlock.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('reference', p_reference));
  end if;

  return jsonb_build_object(
    'success', true,
    'user_id', p_user_id,
    'balance', v_wallet.balance,
    'currency', v_wallet.currency
  );
end
$$;

create view interlock.wallet_differences
with (security_invoker = true)
as
  select
    coalesce(w.user_id, m.user_id) as user_id,
    w.balance,
    coalesce(m.ledger_balance, 0) as ledger_balance
  from interlock.wallets w
  full join (
    select s.user_id, sum(s.delta) as ledger_balance
    from interlock.wallet_movements s
    group by s.user_id
  ) m on m.user_id = w.user_id
  where coalesce(w.balance, 0) <> coalesce(m.ledger_balance, 0);

comment on view interlock.wallet_differences is
  'Wallets whose ledger does not add up to their balance. Always empty; anything else is a bug.';

grant select on table interlock.wallet_differences to service_role;

create function public.accept_payment(p_order_id uuid)
returns json
language sql
security invoker
set search_path = ''
as $$
  select interlock.decide_payment(p_order_id, true)
$$;

comment on function public.accept_payment(uuid) is
  'The payment of an order has come: it is paid, its codes are delivered. For the service role.';

create function public.reject_payment(p_order_id uuid)
returns json
language sql
security invoker
set search_path = ''
as $$
  select interlock.decide_payment(p_order_id, false)
$$;

comment on function public.reject_payment(uuid) is
  'The payment of an order by bank transfer is rejected: it is cancelled, everything comes back. For the service role.';

create function public.submit_payment_proof(p_order_id uuid, p_object_path text)
returns json
language sql
security invoker
set search_path = ''
as $$
  select interlock.submit_payment_proof(p_order_id, p_object_path)
$$;

comment on function public.submit_payment_proof(uuid, text) is
  'Hands in a payment proof (a file in the bucket payment-proofs) for an order that waits for its payment.';

create function public.top_up_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reference uuid default null
)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.top_up_wallet(p_user_id, p_amount, p_currency, p_reference)
$$;

comment on function public.top_up_wallet(uuid, bigint, text, uuid) is
  'Adds money to a user''s wallet; once for each p_reference. For the service role.';

-- The bucket of payment proofs, and who may read and write in it: a buyer uploads to the folder of an order of theirs
-- and reads what is there, staff reads all. Nobody changes or deletes a proof. Made where the storage schema exists.
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
        from interlock.orders o
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
      and (split_part(name, '/', 1) = (select auth.uid())::text or (select interlock.is_staff()))
    );
end
$$;

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.credit_wallet is
  'Add money to a wallet (negative amounts never come here), making it if needed.';
comment on function interlock.debit_wallet is
  'Pay from the wallet that interlock.lock_wallet has locked.';
comment on function interlock.decide_payment is
  'Decide an order''s payment and with it its open proofs: accepted (paid), or rejected (cancelled, everything comes back).';
comment on function interlock.lock_wallet is
  'Lock a user''s wallet; the one helper for this kind of lock.';
comment on function interlock.record_wallet_movement is
  'Write the wallet ledger; refuse another owner or currency for a wallet.';
comment on function interlock.submit_payment_proof is
  'What public.submit_payment_proof does, with its owner''s rights.';
comment on function interlock.top_up_wallet is
  'What public.top_up_wallet does, with its owner''s rights.';

-- Who may call what of payments. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.accept_payment(uuid),
  public.reject_payment(uuid),
  public.submit_payment_proof(uuid, text),
  public.top_up_wallet(uuid, bigint, text, uuid)
from public, anon, authenticated, service_role;

grant execute on function
  public.submit_payment_proof(uuid, text), interlock.submit_payment_proof
to authenticated, service_role;

grant execute on function
  public.accept_payment(uuid), public.reject_payment(uuid), interlock.decide_payment,
  public.top_up_wallet(uuid, bigint, text, uuid), interlock.top_up_wallet
to service_role;

-- What apps and the shop read of payments over REST, each where its name is free in public (interlock.expose).
select interlock.expose('wallets');
select interlock.expose('wallet_movements');
select interlock.expose('payment_proofs');
select interlock.expose('wallet_differences');
