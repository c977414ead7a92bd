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
  constraint payment_proofs_status_known check (value in ('submitted', 'accepted', 'rejected', 'closed'));

-- Why the shop rejected a proof, for its buyer to read.
create domain interlock.rejection_reason as text
  constraint payment_proofs_reason_length check (char_length(value) between 1 and 500);

-- Decide what an order's open proofs are once it no longer waits for its payment, whoever moved it: paid, so accepted, or
-- ended without a decision, so closed.
--
-- Callers: trigger orders_close_payment_proofs.
-- Locks: proofs of the order, which change under the order's lock only.
-- Security definer: whoever may change an order need not have rights on its proofs.
create function interlock.close_payment_proofs()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  update interlock.payment_proofs f
  set status = case new.status when 'paid' then 'accepted' else 'closed' end,
      decided_at = interlock.clock()
  where f.order_id = new.id
    and f.status = 'submitted';
  return null;
end
$$;

-- Refuse a file that an order has no room for (settings.max_payment_proofs), whoever uploads it: the platform asks the
-- policy before an upload, and writes the row of a finished one with rights of its own, so many at once would pass.
--
-- Callers: trigger interlock_payment_proofs_limit on the platform's storage.objects.
-- Locks: as interlock.has_room_for_proof.
-- Errors: TOO_MANY_PROOFS; 55P03 after lock_timeout.
-- Security definer: whoever uploads need not have rights here.
create function interlock.guard_proof_upload()
returns trigger
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if interlock.is_proof_path(new.name) and not interlock.has_room_for_proof(new.name) then
    perform interlock.raise_error('TOO_MANY_PROOFS', jsonb_build_object(
      'order_id', split_part(new.name, '/', 2),
      'max_payment_proofs', (select s.max_payment_proofs from interlock.settings s)
    ));
  end if;
  return new;
end
$$;

-- Keep a wallet that has money in it, also if its account is being deleted: nobody else would know whose it was.
--
-- Callers: trigger wallets_keep_money.
-- Locks: none beyond the row being deleted.
-- Errors: 23001 restrict_violation.
create function interlock.keep_wallet_with_money()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'restrict_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = 'wallets_keep_money',
    message = format('the wallet of user %s holds %s %s', old.user_id, old.balance, old.currency),
    hint = 'Pay it out and set the balance to 0 first. erase_user(id) lists all that stands in the way of a removal.';
end
$$;

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
  v_reason constant text := nullif(current_setting('interlock.reason', true), '');
  v_reference_id constant uuid := nullif(current_setting('interlock.reference_id', true), '')::uuid;
  v_reference constant text := nullif(current_setting('interlock.reference', true), '');
  v_delta bigint;
begin
  if tg_op = 'INSERT' then
    v_delta := new.balance;
  else
    if (new.user_id, new.currency) is distinct from (old.user_id, old.currency) then
      raise exception using
        errcode = 'check_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        constraint = 'wallets_identity_fixed',
        message = format('owner and currency of wallet %s cannot change', old.user_id);
    end if;
    v_delta := new.balance - old.balance;
  end if;

  if v_delta <> 0 then
    insert into interlock.wallet_movements (user_id, delta, balance_after, currency, reason, reference_id, reference, actor)
    values (
      new.user_id,
      v_delta,
      new.balance,
      new.currency,
      coalesce(v_reason, case tg_op when 'INSERT' then 'opening' else 'correction' end),
      v_reference_id,
      v_reference,
      auth.uid()
    );
  end if;

  return null;
end
$$;

-- Payment proofs of bank transfers: a file that the buyer has uploaded to the private bucket `payment-proofs` under
-- USER_ID/ORDER_ID/ (payments/storage.sql). Handing it in (public.submit_payment_proof) gives the shop
-- settings.review_window to decide, counted from the first proof that nobody has decided; more proofs do not make it
-- longer. Whatever is not decided by then expires, so a proof of nothing does not keep goods for ever.
--
--   submitted   waits for the shop
--   accepted    the order was paid
--   rejected    by public.reject_payment: with settings.max_payment_proofs not reached the buyer may try again
--   closed      the order ended in another way, and nobody has decided
create table interlock.payment_proofs (
  id bigint generated always as identity
    constraint payment_proofs_pkey primary key,
  order_id uuid not null
    constraint payment_proofs_order_id_fkey references interlock.orders (id),
  object_path interlock.object_path,
  status interlock.payment_proof_status not null default 'submitted',
  created_at timestamptz not null default now(),
  decided_at timestamptz,
  reason interlock.rejection_reason,
  constraint payment_proofs_unique unique (order_id, object_path),
  constraint payment_proofs_decided_has_time check ((status = 'submitted') = (decided_at is null)),
  constraint payment_proofs_reason_of_rejection check (reason is null or status = 'rejected')
);

comment on table interlock.payment_proofs is
  'Payment proofs handed in by buyers: files in the bucket payment-proofs, accepted or rejected by the shop.';
comment on column interlock.payment_proofs.status is
  'submitted, accepted, rejected, or closed (its order ended before the shop had decided).';
comment on column interlock.payment_proofs.decided_at is
  'When it was accepted, rejected or closed.';
comment on column interlock.payment_proofs.reason is
  'Why it was rejected, in words of the shop. Its buyer reads it.';
comment on column interlock.payment_proofs.object_path is
  'Path of the file in the bucket payment-proofs: USER_ID/ORDER_ID/…; empty once its buyer was erased';

-- The queue of what the shop has to decide, the oldest first.
create index payment_proofs_to_review on interlock.payment_proofs (id) where status = 'submitted';

create trigger orders_close_payment_proofs
  after update of status on interlock.orders
  for each row
  when (old.status = 'pending_payment' and new.status <> 'pending_payment')
  execute function interlock.close_payment_proofs();

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
-- Reasons of ours: top_up, checkout, order_cancelled, order_refunded, opening (insert by the shop's own SQL),
-- correction (the shop's own SQL).
create table interlock.wallet_movements (
  id bigint generated always as identity,
  user_id uuid not null,
  delta interlock.amount_change not null,
  balance_after bigint not null,
  currency char(3) not null,
  reason interlock.movement_reason not null,
  reference_id uuid,
  reference text,
  actor uuid,
  created_at timestamptz not null default now(),
  -- The ledger of one wallet is read in this order.
  constraint wallet_movements_pkey primary key (user_id, id)
);

comment on table interlock.wallet_movements is
  'Append-only wallet ledger, written by a trigger on wallets. Nobody can change or delete a row.';
comment on column interlock.wallet_movements.reference_id is
  'What it was for: the order.';
comment on column interlock.wallet_movements.reference is
  'The shop''s own reference of a top-up.';
comment on column interlock.wallet_movements.actor is
  'The signed-in user who did it; empty for the shop and for jobs.';

create trigger wallet_movements_append_only
  before update or delete on interlock.wallet_movements
  for each row
  execute function interlock.refuse_change('user_id', 'actor');

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

-- Top-ups by the shop's own reference, such as the id that a payment provider gives a payment: each is booked once,
-- whoever's wallet it is for. A row is written before the wallet is touched, so a twin waits for the first. It outlives
-- the account and whatever becomes of the ledger: a payment that is reported again after years is no new one.
create table interlock.wallet_top_ups (
  reference interlock.label not null
    constraint wallet_top_ups_pkey primary key,
  user_id uuid not null,
  amount interlock.positive_amount not null,
  currency interlock.currency_code not null,
  created_at timestamptz not null default now()
);

comment on table interlock.wallet_top_ups is
  'Top-ups by the shop''s own reference, each of which counts once. Nobody can change or delete a row.';
comment on column interlock.wallet_top_ups.reference is
  'As the shop sends it, every letter as it is: for example the id of a payment.';

create trigger wallet_top_ups_append_only
  before update or delete on interlock.wallet_top_ups
  for each row
  execute function interlock.refuse_change('user_id');

create trigger wallet_top_ups_no_truncate
  before truncate on interlock.wallet_top_ups
  for each statement
  execute function interlock.refuse_change();

alter table interlock.wallet_top_ups enable row level security;

grant select on table interlock.wallet_top_ups to service_role;

-- Wallets: money a user has with the shop.
--
-- A wallet holds one currency. Every change of a balance, by whatever code, leaves a row in wallet_movements through a
-- trigger; the view wallet_differences is always empty. The context of a change is given as for stock
-- (interlock.set_ledger_context).
--
-- Deleting an account deletes its wallet, which must be empty: with money in it the deletion is refused.
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
  after insert or update on interlock.wallets
  for each row
  execute function interlock.record_wallet_movement();

create trigger wallets_keep_money
  before delete on interlock.wallets
  for each row
  when (old.balance <> 0)
  execute function interlock.keep_wallet_with_money();

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

-- What public.accept_payment does, with its owner's rights: the order is paid, and its open proofs are accepted.
--
-- Callers: authenticated (staff) and service_role, through public.accept_payment.
-- Locks: order, then as interlock.settle_orders; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.accept_payment(p_order_id uuid)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  perform interlock.move_order(
    p_order_id, array['pending_payment', 'confirmed'], 'paid', 'ORDER_STATE_CONFLICT'
  );
  return interlock.order_answer(p_order_id);
end
$$;

-- Add money to a wallet (negative amounts never come here), making it if needed.
--
-- Callers: interlock.top_up_wallet, the release of orders.
-- Locks: the wallet's row, waiting. Errors: CURRENCY_MISMATCH; 55P03 after lock_timeout.
create function interlock.credit_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reason text,
  p_reference_id uuid,
  p_reference text default null
)
returns interlock.wallets
language plpgsql
set search_path = ''
as $$
declare
  v_wallet interlock.wallets;
begin
  perform interlock.set_ledger_context(p_reason, p_reference_id);
  perform set_config('interlock.reference', p_reference, true);

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.wallets as w (user_id, balance, currency)
  values (p_user_id, p_amount, p_currency)
  on conflict (user_id) do update
    set balance = w.balance + excluded.balance
    where w.currency = excluded.currency
  returning w.* into v_wallet;

  perform interlock.set_ledger_context(null, null);
  perform set_config('interlock.reference', null, true);

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

-- Whether the folder of an order has fewer files than settings.max_payment_proofs.
--
-- Callers: interlock.may_upload_proof, interlock.guard_proof_upload, with a path that interlock.is_proof_path takes.
-- Locks: the folder, advisory, waiting, until the transaction ends: of two uploads at once the second counts the first.
-- Errors: 55P03 after lock_timeout.
create function interlock.has_room_for_proof(p_path text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_folder constant text := left(p_path, 74);
  v_files bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('interlock payment proofs ' || v_folder, 0));

  execute 'select count(*) from storage.objects o where o.bucket_id = $1 and o.name like $2 and o.name <> $3'
  into v_files
  using 'payment-proofs', v_folder || '%', p_path;

  return v_files < (select s.max_payment_proofs from interlock.settings s);
end
$$;

-- Whether a path is one of a payment proof: USER_ID/ORDER_ID/NAME, the name of plain characters and with the ending of a
-- document or picture.
--
-- Callers: interlock.submit_payment_proof, interlock.may_upload_proof, interlock.guard_proof_upload.
create function interlock.is_proof_path(p_path text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_path ~ '^[0-9a-f-]{36}/[0-9a-f-]{36}/[A-Za-z0-9][A-Za-z0-9._ -]*$'
    and p_path ~* '\.(pdf|jpg|jpeg|png|webp|heic)$'
    and char_length(p_path) <= 200;
end
$$;

-- What public.list_payment_proofs does, with its owner's rights: the queue of proofs that staff and the shop decide, the
-- oldest first, a page at a time.
--
-- Callers: authenticated (staff) and service_role, through public.list_payment_proofs.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: proofs of others are not readable otherwise.
create function interlock.list_payment_proofs(p_status text, p_after bigint, p_limit int)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  perform interlock.refuse_unless_shop();
  if p_limit is null or p_limit not between 1 and 200 then
    perform interlock.refuse_problems(interlock.problem('/p_limit', 'must be an integer from 1 to 200'));
  end if;

  return jsonb_build_object('success', true, 'payment_proofs', coalesce((
    select jsonb_agg(
      to_jsonb(f) || jsonb_build_object(
        'user_id', o.user_id,
        'order_status', o.status,
        'total', o.total,
        'currency', o.currency,
        'payment_expires_at', o.payment_expires_at
      )
      order by f.id
    )
    from (
      select q.*
      from interlock.payment_proofs q
      where q.status = p_status
        and (p_after is null or q.id > p_after)
      order by q.id
      limit p_limit
    ) f
    join interlock.orders o on o.id = f.order_id
  ), '[]'));
end
$$;

-- Lock a user's wallet; the one helper for this kind of lock. The account comes first, because whoever pays from the
-- wallet then writes an order that refers to it (interlock.lock_user).
--
-- Callers: interlock.checkout. Locks: the account, the wallet's row, waiting, `no key`.
-- Errors: 55P03 after lock_timeout. A row of nulls if the user has none.
create function interlock.lock_wallet(p_user_id uuid)
returns interlock.wallets
language plpgsql
set search_path = ''
as $$
declare
  v_wallet interlock.wallets;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select w.*
  into v_wallet
  from auth.users u
  join interlock.wallets w on w.user_id = u.id
  where u.id = p_user_id
  for key share of u
  for no key update of w;
  return v_wallet;
end
$$;

-- Whether the caller may upload a file of this path: it is one for an order of theirs that waits for its payment, and
-- the order has room for one more.
--
-- Callers: the policy interlock_payment_proofs_insert_own on the platform's storage.
-- Locks: as interlock.has_room_for_proof.
-- Errors: 55P03 after lock_timeout.
-- Security definer: so that it may lock the order, and see every file of it.
create function interlock.may_upload_proof(p_path text)
returns boolean
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  return interlock.is_proof_path(p_path)
    and exists (
      select
      from interlock.orders o
      where o.id::text = split_part(p_path, '/', 2)
        and o.user_id = auth.uid()
        and o.user_id::text = split_part(p_path, '/', 1)
        and o.status = 'pending_payment'
    )
    and interlock.has_room_for_proof(p_path);
end
$$;

-- Make the bucket of payment proofs, and say who may read and write in it, where the storage schema exists: a buyer
-- uploads to the folder of an order of theirs and reads what is there, staff reads all. Nobody changes or deletes a
-- proof. Returns whether storage is there; called again it changes nothing that the shop has set (a bucket of this name
-- is made private, and keeps the limits that it has). Called when this is installed; if storage comes later, call it
-- once yourself:
--
--   select interlock.prepare_storage();
--
-- Callers: the installation; postgres.
create function interlock.prepare_storage()
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if to_regclass('storage.buckets') is null or to_regclass('storage.objects') is null then
    return false;
  end if;

  execute $sql$
    insert into storage.buckets as b (id, name, public, file_size_limit, allowed_mime_types)
    values (
      'payment-proofs', 'payment-proofs', false, 10485760,
      array['application/pdf', 'image/jpeg', 'image/png', 'image/webp', 'image/heic']
    )
    on conflict (id) do update
      set public = false,
          file_size_limit = coalesce(b.file_size_limit, excluded.file_size_limit),
          allowed_mime_types = coalesce(b.allowed_mime_types, excluded.allowed_mime_types)
  $sql$;

  drop policy if exists interlock_payment_proofs_insert_own on storage.objects;
  create policy interlock_payment_proofs_insert_own
    on storage.objects
    for insert
    to authenticated
    with check (bucket_id = 'payment-proofs' and interlock.may_upload_proof(name));

  drop policy if exists interlock_payment_proofs_select_own_or_staff on storage.objects;
  create policy interlock_payment_proofs_select_own_or_staff
    on storage.objects
    for select
    to authenticated
    using (
      bucket_id = 'payment-proofs'
      and (split_part(name, '/', 1) = (select auth.uid())::text or (select interlock.is_staff()))
    );

  -- The policy alone lets many uploads at once pass (payments/triggers/guard_proof_upload.sql).
  if has_table_privilege('storage.objects', 'trigger') then
    create or replace trigger interlock_payment_proofs_limit
      before insert on storage.objects
      for each row
      when (new.bucket_id = 'payment-proofs')
      execute function interlock.guard_proof_upload();
  end if;

  return true;
end
$$;

-- What public.reject_payment does, with its owner's rights: the open proofs of an order are rejected, for a reason that
-- its buyer reads. The order then waits for another proof, for settings.payment_window from now on, unless it is to be
-- cancelled or has had all the proofs it may have. Called again it changes nothing: proofs that are rejected already are
-- not rejected once more, and the order is not given more time. An order that never had a proof is cancelled.
--
-- Callers: authenticated (staff) and service_role, through public.reject_payment.
-- Locks: order, then as interlock.settle_orders; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, STOCK_LIMIT_EXCEEDED; 55P03 is transient.
-- Security definer: nobody has the right to write orders and proofs.
create function interlock.reject_payment(p_order_id uuid, p_reason text, p_cancel boolean)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_status text;
  v_rejected int;
  v_tries_left int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if char_length(p_reason) not between 1 and 500 then
    perform interlock.refuse_problems(interlock.problem('/p_reason', 'must be 1 to 500 characters'));
  end if;

  v_status := interlock.lock_order(p_order_id);

  if v_status = 'pending_payment' then
    update interlock.payment_proofs f
    set status = 'rejected',
        reason = p_reason,
        decided_at = interlock.clock()
    where f.order_id = p_order_id
      and f.status = 'submitted';
    get diagnostics v_rejected = row_count;

    select s.max_payment_proofs - (select count(*) from interlock.payment_proofs f where f.order_id = p_order_id)
    into v_tries_left
    from interlock.settings s;

    if p_cancel is not true
      and v_tries_left > 0
      and exists (select from interlock.payment_proofs f where f.order_id = p_order_id)
    then
      if v_rejected > 0 then
        update interlock.orders o
        set proof_submitted_at = null,
            payment_expires_at = interlock.clock() + s.payment_window
        from interlock.settings s
        where o.id = p_order_id;
      end if;
      return interlock.order_answer(p_order_id);
    end if;
  end if;

  perform interlock.move_order(p_order_id, array['pending_payment'], 'cancelled', 'ORDER_STATE_CONFLICT');
  return interlock.order_answer(p_order_id);
end
$$;

-- What public.submit_payment_proof does, with its owner's rights. The first proof that waits for the shop gives it
-- settings.review_window to decide; a further one does not make that longer.
--
-- Callers: authenticated and service_role, through public.submit_payment_proof.
-- Locks: the buyer's account, the order, two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED (path outside the buyer's folder of this order, not the name of a document
--   or picture, or no such file where the storage schema exists), ORDER_NOT_FOUND, ORDER_STATE_CONFLICT,
--   TOO_MANY_PROOFS; 55P03 is transient.
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
  v_limit int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.require_user();

  if p_order_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_order_id', 'is required'));
  end if;

  if not exists (select 1 from interlock.orders o where o.id = p_order_id and o.user_id = v_user_id) then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  if (starts_with(p_object_path, v_folder) and interlock.is_proof_path(p_object_path)) is not true then
    v_problem := 'must be the path of a pdf, jpg, jpeg, png, webp or heic file in ' || v_folder;
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

    select s.max_payment_proofs into v_limit from interlock.settings s;
    if (select count(*) from interlock.payment_proofs f where f.order_id = p_order_id) >= v_limit then
      perform interlock.raise_error(
        'TOO_MANY_PROOFS', jsonb_build_object('order_id', p_order_id, 'max_payment_proofs', v_limit)
      );
    end if;

    update interlock.orders o
    set proof_submitted_at = interlock.clock(),
        payment_expires_at = case
          when o.proof_submitted_at is not null then o.payment_expires_at
          -- Never before the time that the buyer has for paying.
          when s.review_window is not null then greatest(o.payment_expires_at, interlock.clock() + s.review_window)
        end
    from interlock.settings s
    where o.id = p_order_id;

    insert into interlock.payment_proofs (order_id, object_path)
    values (p_order_id, p_object_path);
  end if;

  return interlock.order_answer(p_order_id);
end
$$;

-- What public.top_up_wallet does, with its owner's rights. With a reference a top-up counts once, for good: the same
-- call again adds nothing and answers the balance; another user, amount or currency under the reference is refused.
--
-- Callers: service_role, through public.top_up_wallet.
-- Locks: the account, the reference, then the wallet's row; two seconds at most for each.
-- Errors: VALIDATION_FAILED, USER_NOT_FOUND, CURRENCY_MISMATCH, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has insert or update on wallets.
create function interlock.top_up_wallet(p_user_id uuid, p_amount bigint, p_currency text, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_booked boolean := false;
  v_wallet interlock.wallets;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_user_id is null then
    v_problems := v_problems || interlock.problem('/p_user_id', 'is required');
  end if;
  if p_amount is null or p_amount not between 1 and 1000000000000 then
    v_problems := v_problems || interlock.problem('/p_amount', 'must be an integer from 1 to 1000000000000');
  end if;
  if p_currency is null or p_currency !~ '^[A-Z]{3}$' then
    v_problems := v_problems || interlock.problem('/p_currency', 'must be three capital letters');
  end if;
  if not interlock.is_line(p_reference, 200) then
    v_problems := v_problems || interlock.problem(
      '/p_reference', 'must be 1 to 200 characters, without control characters'
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  if not interlock.lock_user(p_user_id) then
    perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_user_id));
  end if;

  if p_reference is not null then
    insert into interlock.wallet_top_ups (reference, user_id, amount, currency)
    values (p_reference, p_user_id, p_amount, p_currency)
    on conflict do nothing;
    v_booked := not found;
  end if;

  if v_booked then
    perform 1
    from interlock.wallet_top_ups t
    where t.reference = p_reference
      and (t.user_id, t.amount, t.currency) = (p_user_id, p_amount, p_currency);
    if not found then
      perform interlock.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('reference', p_reference));
    end if;
    select w.* into v_wallet from interlock.wallets w where w.user_id = p_user_id;
  else
    v_wallet := interlock.credit_wallet(p_user_id, p_amount, p_currency, 'top_up', null, p_reference);
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
  select interlock.accept_payment(p_order_id)
$$;

comment on function public.accept_payment(uuid) is
  'The payment of an order has come: it is paid, its codes are delivered. For staff and the service role.';

create function public.list_payment_proofs(
  p_status text default 'submitted',
  p_after bigint default null,
  p_limit int default 50
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.list_payment_proofs(p_status, p_after, p_limit)
$$;

comment on function public.list_payment_proofs(text, bigint, int) is
  'Payment proofs that wait for a decision (or have p_status), the oldest first, for staff and the service role; p_after is the id of the last one of the page before.';

create function public.reject_payment(
  p_order_id uuid,
  p_reason text default null,
  p_cancel boolean default false
)
returns json
language sql
security invoker
set search_path = ''
as $$
  select interlock.reject_payment(p_order_id, p_reason, p_cancel)
$$;

comment on function public.reject_payment(uuid, text, boolean) is
  'The proof of a bank transfer is rejected, and the buyer may hand in another one; with p_cancel, or without a try left, the order is cancelled and everything comes back. For staff and the service role.';

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
  p_reference text default null
)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.top_up_wallet(p_user_id, p_amount, p_currency, p_reference)
$$;

comment on function public.top_up_wallet(uuid, bigint, text, text) is
  'Adds money to a user''s wallet; once for each p_reference. For the service role.';

-- The bucket of payment proofs and its rules, where the platform's storage is there.
select interlock.prepare_storage();

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.accept_payment is
  'What public.accept_payment does, with its owner''s rights: the order is paid, and its open proofs are accepted.';
comment on function interlock.close_payment_proofs is
  'Decide what an order''s open proofs are once it no longer waits for its payment, whoever moved it: paid, so accepted, or ended without a decision, so closed.';
comment on function interlock.credit_wallet is
  'Add money to a wallet (negative amounts never come here), making it if needed.';
comment on function interlock.debit_wallet is
  'Pay from the wallet that interlock.lock_wallet has locked.';
comment on function interlock.guard_proof_upload is
  'Refuse a file that an order has no room for (settings.max_payment_proofs), whoever uploads it: the platform asks the policy before an upload, and writes the row of a finished one with rights of its own, so many at once would pass.';
comment on function interlock.has_room_for_proof is
  'Whether the folder of an order has fewer files than settings.max_payment_proofs.';
comment on function interlock.is_proof_path is
  'Whether a path is one of a payment proof: USER_ID/ORDER_ID/NAME, the name of plain characters and with the ending of a document or picture.';
comment on function interlock.keep_wallet_with_money is
  'Keep a wallet that has money in it, also if its account is being deleted: nobody else would know whose it was.';
comment on function interlock.list_payment_proofs is
  'What public.list_payment_proofs does, with its owner''s rights: the queue of proofs that staff and the shop decide, the oldest first, a page at a time.';
comment on function interlock.lock_wallet is
  'Lock a user''s wallet; the one helper for this kind of lock.';
comment on function interlock.may_upload_proof is
  'Whether the caller may upload a file of this path: it is one for an order of theirs that waits for its payment, and the order has room for one more.';
comment on function interlock.prepare_storage is
  'Make the bucket of payment proofs, and say who may read and write in it, where the storage schema exists: a buyer uploads to the folder of an order of theirs and reads what is there, staff reads all.';
comment on function interlock.record_wallet_movement is
  'Write the wallet ledger; refuse another owner or currency for a wallet.';
comment on function interlock.reject_payment is
  'What public.reject_payment does, with its owner''s rights: the open proofs of an order are rejected, for a reason that its buyer reads.';
comment on function interlock.submit_payment_proof is
  'What public.submit_payment_proof does, with its owner''s rights.';
comment on function interlock.top_up_wallet is
  'What public.top_up_wallet does, with its owner''s rights.';

-- Who may call what of payments. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.accept_payment(uuid),
  public.list_payment_proofs(text, bigint, int),
  public.reject_payment(uuid, text, boolean),
  public.submit_payment_proof(uuid, text),
  public.top_up_wallet(uuid, bigint, text, text)
from public, anon, authenticated, service_role;

grant execute on function
  -- A policy of the platform's storage asks.
  interlock.may_upload_proof,
  -- For the shop: staff by token, anybody else is refused.
  public.accept_payment(uuid), interlock.accept_payment,
  public.reject_payment(uuid, text, boolean), interlock.reject_payment,
  public.list_payment_proofs(text, bigint, int), interlock.list_payment_proofs,
  public.submit_payment_proof(uuid, text), interlock.submit_payment_proof
to authenticated, service_role;

grant execute on function
  public.top_up_wallet(uuid, bigint, text, text), interlock.top_up_wallet
to service_role;

-- What apps and the shop read of payments over REST, each where its name is free in public (interlock.expose).
select interlock.expose('wallets');
select interlock.expose('wallet_movements');
select interlock.expose('payment_proofs');
select interlock.expose('wallet_differences');
