-- Wallets and payment proofs.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- Whether a text can be a provider's own name of a payment, a refund or an event. Null if there is none.
--
-- Callers: domain interlock.provider_id; functions that read what others have written.
create function interlock.is_provider_id(p_text text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return p_text ~ '^[A-Za-z0-9_-]+$' and char_length(p_text) <= 255;
end
$$;

-- Path of a file in the bucket payment-proofs.
create domain interlock.object_path as text
  constraint payment_proofs_object_path_length check (char_length(value) between 1 and 500);

create domain interlock.payment_proof_status as text
  constraint payment_proofs_status_known check (value in ('submitted', 'accepted', 'rejected', 'closed'));

-- Why the shop rejected a proof, for its buyer to read.
create domain interlock.rejection_reason as text
  constraint payment_proofs_reason_length check (char_length(value) between 1 and 500);

-- Who decides about the money.
create domain interlock.payment_provider as text
  constraint payments_provider_known check (value in ('stripe'));

-- The provider's own name of a payment, a refund or an event.
create domain interlock.provider_id as text
  constraint provider_id_format check (interlock.is_provider_id(value));

create domain interlock.payment_status as text
  constraint payments_status_known
    check (value in ('open', 'processing', 'canceled', 'succeeded', 'refund_due', 'refunded', 'flagged'));

-- Why money is here that no order could take.
create domain interlock.payment_flag as text
  constraint payments_flag_known
    check (value in ('wrong_amount', 'wrong_currency', 'unknown_order', 'late', 'paid_otherwise'));

-- What a provider signs its events with.
create domain interlock.signing_secret as text
  constraint payment_secrets_length check (char_length(value) between 16 and 255);

create domain interlock.refund_status as text
  constraint payment_refunds_status_known check (value in ('pending', 'succeeded', 'failed'));

create domain interlock.webhook_outcome as text
  constraint payment_events_outcome_known
    check (value in ('paid', 'reopened', 'refund_due', 'flagged', 'noted', 'ignored'));

-- The amount of money that a member of what others have written is, in minor units; null if it is none.
--
-- Callers: functions that read what others have written.
create function interlock.to_amount(p_value jsonb)
returns bigint
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return case when interlock.is_amount(p_value) then p_value::numeric::bigint end;
end
$$;

-- The UUID that a text is; null if it is none.
--
-- Callers: functions that read what others have written.
create function interlock.to_uuid(p_text text)
returns uuid
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return case when interlock.is_uuid(p_text) then p_text::uuid end;
end
$$;

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
    hint = 'Pay it out with debit_wallet first. erase_user(id) lists all that stands in the way of a removal.';
end
$$;

-- Tell of money that somebody has to see to: what has to go back (payment.refund_due, with what is still due), and what pays no order
-- (payment.flagged).
--
-- Callers: triggers payments_note_first, payments_note_change.
-- Locks: none.
-- Security definer: nobody has insert on the outbox.
create function interlock.note_payment()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform interlock.note_event('payment.' || new.status, new.id::text, jsonb_build_object(
    'payment_id', new.id,
    'order_id', new.order_id,
    'amount', case when new.status = 'flagged' then new.amount else new.refund_asked - new.refunded end,
    'currency', new.currency,
    'flag', new.flag
  ));
  return null;
end
$$;

-- Write the wallet ledger; refuse another owner for a wallet, and another currency for one that has a ledger: what it has
-- held was that currency, and so is what comes back into it.
--
-- Callers: trigger wallets_record_movement.
-- Locks: none beyond the rows it inserts; the wallet is locked by the statement.
-- Errors: 23514 check_violation with constraint name wallets_owner_fixed or wallets_currency_kept.
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
    if new.user_id <> old.user_id then
      raise exception using
        errcode = 'check_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        constraint = 'wallets_owner_fixed',
        message = format('the owner of wallet %s cannot change', old.user_id);
    end if;
    if new.currency <> old.currency and (
      exists (select from interlock.wallet_movements m where m.user_id = old.user_id)
      or exists (select from interlock.wallet_balances b where b.user_id = old.user_id)
    ) then
      raise exception using
        errcode = 'check_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        constraint = 'wallets_currency_kept',
        message = format('the wallet of user %s has held %s and keeps its currency', old.user_id, old.currency),
        hint = 'Only a wallet that has never held anything takes another currency. Pay out what is in this one with debit_wallet.';
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

-- Events of payment providers that had a right signature, each of which counts once, by the provider's own id. What an
-- event said of people is not kept.
create table interlock.payment_events (
  provider interlock.payment_provider not null,
  event_id interlock.provider_id not null,
  type interlock.label not null,
  provider_payment_id interlock.provider_id,
  order_id uuid,
  outcome interlock.webhook_outcome not null,
  created_at timestamptz not null default now(),
  constraint payment_events_pkey primary key (provider, event_id)
);

comment on table interlock.payment_events is
  'Events of payment providers and what they did. Each counts once.';
comment on column interlock.payment_events.order_id is
  'The order that it is about, as far as one is known.';
comment on column interlock.payment_events.outcome is
  'paid, reopened (an order that had ended is paid), refund_due, flagged, noted, or ignored (nothing of ours).';

create index payment_events_by_order on interlock.payment_events (order_id, created_at) where order_id is not null;

alter table interlock.payment_events enable row level security;

grant select on table interlock.payment_events to service_role;

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

-- What the provider has given back, or is giving back: one row for each of its refunds, by its own ids. A refund may be
-- told before the payment that it belongs to, so it does not refer to one.
create table interlock.payment_refunds (
  provider interlock.payment_provider not null,
  refund_id interlock.provider_id not null,
  provider_payment_id interlock.provider_id not null,
  amount interlock.positive_amount not null,
  currency interlock.currency_code not null,
  status interlock.refund_status not null,
  told_at timestamptz not null,
  created_at timestamptz not null default now(),
  constraint payment_refunds_pkey primary key (provider, refund_id)
);

comment on table interlock.payment_refunds is
  'Refunds of payments by card, by the provider''s word.';
comment on column interlock.payment_refunds.provider_payment_id is
  'The payment, by the provider''s own id: interlock.payments.provider_id.';
comment on column interlock.payment_refunds.status is
  'pending, succeeded or failed; a failed one has given nothing back.';

create index payment_refunds_by_payment on interlock.payment_refunds (provider, provider_payment_id);

alter table interlock.payment_refunds enable row level security;

grant select on table interlock.payment_refunds to service_role;

-- The secrets by which providers sign their events. No role reads them: interlock.find_signature_problem does. While a
-- secret is rolled two of them count.
create table interlock.payment_secrets (
  id bigint generated always as identity
    constraint payment_secrets_pkey primary key,
  provider interlock.payment_provider not null,
  secret interlock.signing_secret not null,
  created_at timestamptz not null default now(),
  constraint payment_secrets_once unique (provider, secret)
);

comment on table interlock.payment_secrets is
  'Secrets by which payment providers sign their events: the latest two of each provider. Written by set_payment_secret.';

alter table interlock.payment_secrets enable row level security;

-- Payments by card: the money is decided by somebody else (the provider), later, twice and out of order. A row is one
-- attempt to pay one order; what the provider says of it comes by public.payment_webhook alone.
--
--   open        the buyer may pay; no money has moved. A payment that failed is open again
--   processing  the provider is deciding: its order waits for settings.card_processing_window
--   canceled    given up; the next try is another attempt
--   succeeded   the money is here, and pays its order
--   refund_due  the money is here, and some of it has to go back: refund_asked is more than refunded
--   refunded    what was asked for has gone back
--   flagged     the money is here, and it is not what the order costs, or the order is not known: staff decide
--
-- Money is the provider's word: succeeded is never undone by a later event about the attempt. One attempt of an order is
-- open or processing at a time (payments_one_open).
create table interlock.payments (
  id uuid not null default interlock.new_id()
    constraint payments_pkey primary key,
  -- Empty for money that names an order which is not there.
  order_id uuid
    constraint payments_order_id_fkey references interlock.orders (id),
  provider interlock.payment_provider not null,
  provider_id interlock.provider_id,
  attempt interlock.positive_count not null,
  amount interlock.positive_amount not null,
  currency interlock.currency_code not null,
  status interlock.payment_status not null default 'open',
  flag interlock.payment_flag,
  failure interlock.label,
  refund_asked interlock.amount not null default 0,
  refunded interlock.amount not null default 0,
  dispute interlock.label,
  -- What the provider's latest event about the attempt was created at: an older one changes nothing.
  told_at timestamptz,
  created_at timestamptz not null default now(),
  succeeded_at timestamptz,

  constraint payments_refund_within_amount check (refund_asked <= amount),
  constraint payments_refund_of_money check (
    status in ('succeeded', 'refund_due', 'refunded', 'flagged') or refund_asked = 0
  ),
  constraint payments_money_has_time check (
    (status in ('succeeded', 'refund_due', 'refunded', 'flagged')) = (succeeded_at is not null)
  )
);

comment on table interlock.payments is
  'Payments by card, one row for each attempt to pay an order. Its buyer sees it, nobody writes.';
comment on column interlock.payments.order_id is
  'The order that is paid; empty if the provider has named one that is not there.';
comment on column interlock.payments.provider_id is
  'The provider''s own id, as pi_…; empty until it is known.';
comment on column interlock.payments.amount is
  'What the order costs, in minor units; for flagged money what has come in.';
comment on column interlock.payments.status is
  'open, processing, canceled, succeeded, refund_due, refunded or flagged; docs/payments.md has the transitions.';
comment on column interlock.payments.flag is
  'Why the money pays no order: wrong_amount, wrong_currency, unknown_order, late (the order had ended), paid_otherwise.';
comment on column interlock.payments.failure is
  'What the provider says of the latest try that failed, as card_declined.';
comment on column interlock.payments.refund_asked is
  'How much of it has to go back, in all.';
comment on column interlock.payments.refunded is
  'How much has gone back by the provider''s word.';
comment on column interlock.payments.dispute is
  'The state of the buyer''s dispute with their bank, in the provider''s words; empty if there is none.';

-- Money by the provider's id, which only a signed event can have said: what a buyer's own call has stored before does not
-- count.
create unique index payments_money on interlock.payments (provider, provider_id)
  where succeeded_at is not null;

create unique index payments_one_open on interlock.payments (order_id)
  where status in ('open', 'processing');

create index payments_by_order on interlock.payments (order_id, attempt);

-- What staff have to look at, the oldest first.
create index payments_to_settle on interlock.payments (id) where status in ('refund_due', 'flagged');

create trigger payments_no_truncate
  before truncate on interlock.payments
  for each statement
  execute function interlock.refuse_change();

create trigger payments_no_delete
  before delete on interlock.payments
  for each row
  execute function interlock.refuse_change();

alter table interlock.payments enable row level security;

grant select on table interlock.payments to authenticated, service_role;

create policy payments_select_own
  on interlock.payments
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

create trigger payments_note_first
  after insert on interlock.payments
  for each row
  when (new.status in ('refund_due', 'flagged'))
  execute function interlock.note_payment();

create trigger payments_note_change
  after update on interlock.payments
  for each row
  when (
    new.status in ('refund_due', 'flagged')
    and (new.status <> old.status or new.refund_asked > old.refund_asked)
  )
  execute function interlock.note_payment();

-- What the older part of a wallet's ledger adds up to, so that wallet_differences need not read it again.
--
-- Closed is every movement of the wallet whose id is not above `closed_through`. Written by interlock.close_ledger only,
-- which holds the wallet: ids are given out under that lock, so none at or below that id can come later.
create table interlock.wallet_balances (
  user_id uuid
    constraint wallet_balances_pkey primary key,
  closed_through bigint not null,
  balance bigint not null
);

comment on table interlock.wallet_balances is
  'The closed part of each wallet''s ledger, added up.';
comment on column interlock.wallet_balances.user_id is
  'As in wallet_movements: whose wallet it is, or an id that is nobody''s for an account that was erased.';
comment on column interlock.wallet_balances.closed_through is
  'The last movement that is in it: all with an id up to this one are.';
comment on column interlock.wallet_balances.balance is
  'The sum of their deltas: the balance of the wallet right after the last of them.';

alter table interlock.wallet_balances enable row level security;

grant select on table interlock.wallet_balances to service_role;

-- The wallet ledger, append-only, written by a trigger on wallets.
--
-- Reasons of ours: top_up, checkout, order_cancelled, order_refunded, lines_refunded, debit (public.debit_wallet without a
-- reason), opening (insert by the shop's own SQL), correction (the shop's own SQL). Those of public.debit_wallet and
-- public.adjust_wallet are
-- the shop's.
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
  -- The ledger of one wallet is read in this order, and added up from this index alone.
  constraint wallet_movements_pkey primary key (user_id, id) include (delta)
);

comment on table interlock.wallet_movements is
  'Append-only wallet ledger, written by a trigger on wallets. Nobody can change or delete a row.';
comment on column interlock.wallet_movements.reference_id is
  'What it was for: the order.';
comment on column interlock.wallet_movements.reference is
  'The shop''s own reference of a top-up, a debit or an adjustment.';
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
-- A wallet holds one currency, and keeps it once it has held anything. Every change of a balance, by whatever code, leaves a row in wallet_movements through a
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

-- What public.adjust_wallet does, with its owner's rights: a movement that corrects a wallet, in either direction, with its
-- reason. Never below nothing, and once for each reference.
--
-- Callers: authenticated (staff) and service_role, through public.adjust_wallet.
-- Locks: as interlock.move_wallet, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, USER_NOT_FOUND, INSUFFICIENT_FUNDS,
--   CURRENCY_MISMATCH; 55P03 is transient.
-- Security definer: nobody has the right to write wallets.
create function interlock.adjust_wallet(
  p_user_id uuid,
  p_delta bigint,
  p_currency text,
  p_reason text,
  p_reference text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_delta is null or p_delta = 0 or p_delta not between -1000000000000 and 1000000000000 then
    v_problems := interlock.problem(
      '/p_delta', 'must be an integer from -1000000000000 to 1000000000000, and not 0'
    );
  end if;
  if p_reason is null then
    v_problems := v_problems || interlock.problem('/p_reason', 'is required');
  end if;
  return interlock.move_wallet('adjust_wallet', p_user_id, p_delta, p_currency, p_reason, p_reference, v_problems);
end
$$;

-- What an event about a dispute does: its state stands with the payment, for staff. One that is closed stays closed.
--
-- Callers: interlock.payment_webhook.
-- Locks: the account of the buyer and the order; the payment.
-- Errors: 55P03 is transient.
create function interlock.apply_dispute_event(
  p_provider text,
  p_object jsonb,
  out outcome text,
  out order_id uuid
)
language plpgsql
set search_path = ''
as $$
declare
  v_payment_id uuid;
begin
  select p.id, p.order_id
  into v_payment_id, order_id
  from interlock.payments p
  where (p.provider, p.provider_id) = (p_provider, p_object ->> 'payment_intent')
    and p.succeeded_at is not null;
  if v_payment_id is null or coalesce(p_object ->> 'status', '') = '' then
    return;
  end if;

  if order_id is not null then
    perform interlock.lock_order(order_id);
  end if;
  update interlock.payments p
  set dispute = left(p_object ->> 'status', 200)
  where p.id = v_payment_id
    and coalesce(p.dispute, '') not in ('won', 'lost', 'warning_closed');
  outcome := 'noted';
end
$$;

-- Money has come in: what it pays, or why it pays nothing. Never both, and it is never kept without a word.
--
--   paid        the order waited for it, and it is what it costs, or what it cost when the attempt began: what lines that
--               were cancelled since have taken off goes back (refund_asked)
--   reopened    the order had ended unpaid: its goods, codes and promo use are taken again, all or nothing, and it is
--               paid. settings.late_payments says for which ends
--   refund_due  the order is paid otherwise, or has ended for good: all of it has to go back
--   flagged     it is not what the order costs, or the order is not there: staff decide
--
-- Callers: interlock.apply_payment_event, with the order locked. p_payment is all nulls for a payment that the shop's own
--   code has made: it gets its row here.
-- Locks: as interlock.retake_order and interlock.settle_orders.
-- Errors: 55P03 is transient.
create function interlock.apply_money(
  p_provider text,
  p_payment interlock.payments,
  p_order interlock.orders,
  p_object jsonb,
  p_told_at timestamptz
)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_payment_id constant uuid := coalesce(p_payment.id, interlock.new_id());
  v_amount constant bigint := interlock.to_amount(coalesce(p_object -> 'amount_received', p_object -> 'amount'));
  v_currency constant text := upper(p_object ->> 'currency');
  v_due constant bigint := p_order.total - p_order.wallet_amount - p_order.refunded;
  v_flag text;
  v_outcome text;
begin
  v_flag := case
    when p_order.id is null then 'unknown_order'
    when v_currency is distinct from p_order.currency then 'wrong_currency'
    when v_amount is distinct from coalesce(p_payment.amount, v_due) then 'wrong_amount'
  end;

  v_outcome := case
    when v_flag is not null then 'flagged'
    when p_order.status in ('pending_payment', 'confirmed') then 'paid'
    when p_order.status in ('expired', 'cancelled') and interlock.retake_for_late_money(p_order) then 'reopened'
    else 'refund_due'
  end;
  if v_outcome = 'refund_due' then
    v_flag := case when p_order.paid_at is null then 'late' else 'paid_otherwise' end;
  end if;

  insert into interlock.payments as p (
    id, order_id, provider, provider_id, attempt, amount, currency, status, flag, refund_asked, told_at, succeeded_at
  )
  values (
    v_payment_id,
    p_order.id,
    p_provider,
    p_object ->> 'id',
    coalesce(p_payment.attempt, 1 + (
      select coalesce(max(a.attempt), 0) from interlock.payments a where a.order_id = p_order.id
    )),
    -- What cannot be read is flagged, with the least that it can be and ISO 4217's code for no currency.
    coalesce(nullif(v_amount, 0), 1),
    case when v_currency ~ '^[A-Z]{3}$' then v_currency else 'XXX' end,
    case v_outcome when 'flagged' then 'flagged' when 'refund_due' then 'refund_due' else 'succeeded' end,
    v_flag,
    case v_outcome
      when 'flagged' then 0
      when 'refund_due' then v_amount
      -- Lines were cancelled after the attempt had begun.
      else v_amount - v_due
    end,
    p_told_at,
    interlock.clock()
  )
  on conflict on constraint payments_pkey do update
  set provider_id = excluded.provider_id,
      amount = excluded.amount,
      currency = excluded.currency,
      status = excluded.status,
      flag = excluded.flag,
      refund_asked = excluded.refund_asked,
      told_at = excluded.told_at,
      succeeded_at = excluded.succeeded_at;
  perform interlock.settle_payment(v_payment_id);

  if v_outcome in ('paid', 'reopened') then
    update interlock.orders o
    set status = 'paid'
    where o.id = p_order.id;
  end if;

  return v_outcome;
end
$$;

-- What an event about a payment does.
--
--   succeeded         interlock.apply_money
--   processing        the order waits for it, for settings.card_processing_window
--   payment_failed,   noted; the order waits for another try until its time is over, and is never ended by it
--   canceled
--
-- Which order it is for stands in the payment's own metadata (order_id, payment_id), which the provider has signed. A
-- payment that the shop's own code has made counts too, if its metadata has the order_id. Without one it is none of ours.
--
-- Callers: interlock.payment_webhook.
-- Locks: the account of the buyer and the order, its payments; then as interlock.apply_money.
-- Errors: 55P03 is transient.
create function interlock.apply_payment_event(
  p_provider text,
  p_type text,
  p_object jsonb,
  p_told_at timestamptz,
  out outcome text,
  out order_id uuid
)
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
  v_payment interlock.payments;
begin
  order_id := interlock.to_uuid(p_object #>> '{metadata,order_id}');
  if order_id is null then
    return;
  end if;

  perform interlock.lock_order(order_id);
  select o.* into v_order from interlock.orders o where o.id = apply_payment_event.order_id;
  v_payment := interlock.take_payment(p_provider, p_object, order_id);

  if p_type = 'payment_intent.succeeded' and v_payment.succeeded_at is null then
    outcome := interlock.apply_money(p_provider, v_payment, v_order, p_object, p_told_at);
    return;
  end if;

  outcome := 'noted';
  if v_payment.status not in ('open', 'processing') or v_payment.told_at > p_told_at then
    return;
  end if;

  update interlock.payments p
  set provider_id = p_object ->> 'id',
      told_at = p_told_at,
      status = case p_type
        when 'payment_intent.processing' then 'processing'
        when 'payment_intent.payment_failed' then 'open'
        when 'payment_intent.canceled' then 'canceled'
        else p.status
      end,
      failure = case p_type
        when 'payment_intent.payment_failed' then
          left(coalesce(nullif(p_object #>> '{last_payment_error,code}', ''), 'failed'), 200)
        else p.failure
      end
  where p.id = v_payment.id;

  -- An order whose payment is being decided waits longer, and goes back to its own time afterwards.
  if v_order.status = 'pending_payment' and v_order.payment_method = 'card' then
    update interlock.orders o
    set payment_expires_at = case
      when p_type = 'payment_intent.processing' then
        greatest(o.payment_expires_at, interlock.clock() + s.card_processing_window)
      else least(o.payment_expires_at, greatest(o.created_at + s.card_payment_window, interlock.clock()))
    end
    from interlock.settings s
    where o.id = v_order.id
      and (
        p_type = 'payment_intent.processing'
        or (v_payment.status = 'processing' and p_type in ('payment_intent.payment_failed', 'payment_intent.canceled'))
      );
  end if;
end
$$;

-- What an event about a refund does: the refund is kept, and counts towards what had to go back. Whoever made it: the shop
-- in the provider's own pages as well. One that failed has given nothing back, whatever comes after it.
--
-- Callers: interlock.payment_webhook.
-- Locks: the account of the buyer and the order; the refund; the payment.
-- Errors: 55P03 is transient.
create function interlock.apply_refund_event(
  p_provider text,
  p_object jsonb,
  p_told_at timestamptz,
  out outcome text,
  out order_id uuid
)
language plpgsql
set search_path = ''
as $$
declare
  v_provider_payment_id constant text := p_object ->> 'payment_intent';
  v_amount constant bigint := interlock.to_amount(p_object -> 'amount');
  v_payment_id uuid;
begin
  if (
    interlock.is_provider_id(p_object ->> 'id')
    and v_amount > 0
    and upper(p_object ->> 'currency') ~ '^[A-Z]{3}$'
  ) is not true then
    return;
  end if;

  select p.id, p.order_id
  into v_payment_id, order_id
  from interlock.payments p
  where (p.provider, p.provider_id) = (p_provider, v_provider_payment_id)
    and p.succeeded_at is not null;
  if order_id is not null then
    perform interlock.lock_order(order_id);
  end if;

  insert into interlock.payment_refunds as f (
    provider, refund_id, provider_payment_id, amount, currency, status, told_at
  )
  values (
    p_provider,
    p_object ->> 'id',
    v_provider_payment_id,
    v_amount,
    upper(p_object ->> 'currency'),
    case p_object ->> 'status'
      when 'succeeded' then 'succeeded'
      when 'failed' then 'failed'
      when 'canceled' then 'failed'
      else 'pending'
    end,
    p_told_at
  )
  on conflict on constraint payment_refunds_pkey do update
  set status = excluded.status,
      told_at = excluded.told_at
  where f.status <> 'failed'
    and (f.told_at, f.status <> 'pending') <= (excluded.told_at, excluded.status <> 'pending');

  outcome := 'noted';
  if v_payment_id is not null then
    perform interlock.settle_payment(v_payment_id);
  end if;
end
$$;

-- What public.begin_card_payment does, with its owner's rights: the attempt to pay the caller's order that is open, or a
-- new one. Called again, also in another tab, it answers the same one, until the provider says that it is canceled. An
-- order has twenty attempts at most: each may have an intent at the provider.
--
-- Callers: authenticated and service_role, through public.begin_card_payment, of the function payment-intent.
-- Locks: the buyer's account, the order; two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, ORDER_NOT_FOUND (also for somebody else's order), ORDER_STATE_CONFLICT (not
--   one that waits for a payment by card, or its time is over), TOO_MANY_PAYMENT_ATTEMPTS; 55P03 is transient.
-- Security definer: nobody has the right to write payments.
create function interlock.begin_card_payment(p_order_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_max_attempts constant int := 20;
  v_attempts int;
  v_order interlock.orders;
  v_payment interlock.payments;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.require_user();
  if p_order_id is null then
    perform interlock.refuse_problems(interlock.problem('/order_id', 'is required'));
  end if;
  if not exists (select from interlock.orders o where o.id = p_order_id and o.user_id = v_user_id) then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  perform interlock.lock_order(p_order_id);
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  -- It may have moved to another account meanwhile.
  if v_order.user_id <> v_user_id then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  if v_order.status <> 'pending_payment'
    or v_order.payment_method <> 'card'
    or v_order.payment_expires_at <= interlock.clock()
  then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  select p.* into v_payment
  from interlock.payments p
  where p.order_id = p_order_id
    and p.status in ('open', 'processing');
  if not found then
    select coalesce(max(p.attempt), 0) into v_attempts
    from interlock.payments p
    where p.order_id = p_order_id;
    if v_attempts >= v_max_attempts then
      perform interlock.raise_error('TOO_MANY_PAYMENT_ATTEMPTS', jsonb_build_object(
        'order_id', p_order_id, 'max_attempts', v_max_attempts
      ));
    end if;
    insert into interlock.payments (order_id, provider, attempt, amount, currency)
    values (p_order_id, 'stripe', v_attempts + 1, v_order.total - v_order.wallet_amount - v_order.refunded, v_order.currency)
    returning * into v_payment;
  end if;

  return jsonb_build_object('success', true, 'payment', jsonb_build_object(
    'id', v_payment.id,
    'order_id', p_order_id,
    'provider', v_payment.provider,
    'provider_id', v_payment.provider_id,
    'attempt', v_payment.attempt,
    'status', v_payment.status,
    'amount', v_payment.amount,
    'currency', v_payment.currency,
    'expires_at', v_order.payment_expires_at
  ));
end
$$;

-- Add money to a wallet (negative amounts never come here), making it if needed.
--
-- Callers: interlock.top_up_wallet, interlock.move_wallet, interlock.charge_buyer, interlock.give_buyer_back, the release of orders.
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
  on conflict on constraint wallets_pkey do update
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

-- What public.debit_wallet does, with its owner's rights: money leaves a wallet, because it was paid out or used in another
-- place. Never more than there is, and once for each reference.
--
-- Callers: authenticated (staff) and service_role, through public.debit_wallet.
-- Locks: as interlock.move_wallet, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, USER_NOT_FOUND, INSUFFICIENT_FUNDS,
--   CURRENCY_MISMATCH; 55P03 is transient.
-- Security definer: nobody has the right to write wallets.
create function interlock.debit_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reference text,
  p_reason text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  return interlock.move_wallet(
    'debit_wallet', p_user_id, -p_amount, p_currency, coalesce(p_reason, 'debit'), p_reference,
    case
      when p_amount between 1 and 1000000000000 then '[]'
      else interlock.problem('/p_amount', 'must be an integer from 1 to 1000000000000')
    end
  );
end
$$;

-- Why an event is not the provider's own; null if it is. Stripe's scheme: the header is `t=SECONDS,v1=HEX,…`, a signature
-- the HMAC-SHA256 of `SECONDS.BODY` with the endpoint's secret; several v1 are sent while a secret is rolled, what else
-- stands there is passed over. Times may differ by five minutes (https://docs.stripe.com/webhooks, "Verify manually").
--
-- Hashes of the signatures are compared and not the signatures, so that how long it takes says nothing about them.
--
-- Callers: interlock.payment_webhook.
-- Locks: none.
-- Errors: none; answers missing, malformed, no_secret, too_old, in_the_future or mismatch.
create function interlock.find_signature_problem(p_provider text, p_body text, p_signature text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_time text;
  v_signatures bytea[];
  v_age interval;
  v_secrets int;
  v_matches boolean;
begin
  if coalesce(p_signature, '') = '' then
    return 'missing';
  elsif char_length(p_signature) > 4096 then
    return 'malformed';
  end if;

  select
    min(p.value) filter (where p.name = 't'),
    array_agg(decode(p.value, 'hex')) filter (where p.name = 'v1' and p.value ~ '^[0-9a-f]+$' and char_length(p.value) = 64)
  into v_time, v_signatures
  from (
    select split_part(btrim(e.element), '=', 1) as name, split_part(btrim(e.element), '=', 2) as value
    from string_to_table(p_signature, ',') as e (element)
  ) p;

  if v_time is null or v_time !~ '^[0-9]+$' or char_length(v_time) > 12 or v_signatures is null then
    return 'malformed';
  end if;

  -- Once for each secret, however many signatures somebody sends.
  with expected as materialized (
    select interlock.hmac_sha256(
      convert_to(s.secret, 'UTF8'), convert_to(v_time || '.' || p_body, 'UTF8')
    ) as signature
    from interlock.payment_secrets s
    where s.provider = p_provider
  )
  select count(*), bool_or(sha256(e.signature) = sha256(g.signature))
  into v_secrets, v_matches
  from expected e
  cross join unnest(v_signatures) as g (signature);

  v_age := interlock.clock() - to_timestamp(v_time::bigint);
  return case
    when v_secrets = 0 then 'no_secret'
    when not v_matches then 'mismatch'
    when v_age > interval '5 minutes' then 'too_old'
    when v_age < interval '-5 minutes' then 'in_the_future'
  end;
end
$$;

-- Give so much of what an order's buyer has paid back, in the way in which it was paid: into the wallet; by the provider,
-- as far as the card has not been asked for before; what came in cash or by bank transfer is for the shop to give back
-- by its own hand. Of an order that was paid in two ways the wallet's part comes last. Says how much each of them is. Of one
-- that is not paid there is nothing but the wallet's part.
--
-- Callers: interlock.settle_orders (all that is left), interlock.refund_order_lines (a part); with the order locked. Its
--   refunded is what it was before.
-- Locks: the wallet of the buyer; the payment of the order.
-- Errors: WALLET_OWNER_GONE; 55P03 after lock_timeout.
create function interlock.give_back(
  p_order interlock.orders,
  p_amount bigint,
  p_reason text,
  out o_wallet bigint,
  out o_card bigint,
  out o_shop bigint
)
language plpgsql
set search_path = ''
as $$
declare
  v_payment_id uuid;
begin
  o_wallet := 0;
  o_card := 0;
  o_shop := 0;
  if p_amount = 0 then
    return;
  end if;

  o_wallet := case
    when p_order.payment_method = 'wallet' then p_amount
    else interlock.wallet_returned(p_order, p_order.refunded + p_amount)
      - interlock.wallet_returned(p_order, p_order.refunded)
  end;
  if o_wallet > 0 then
    if p_order.user_id is null then
      perform interlock.raise_error('WALLET_OWNER_GONE', jsonb_build_object(
        'order_id', p_order.id, 'amount', o_wallet, 'currency', p_order.currency
      ));
    end if;
    perform interlock.credit_wallet(p_order.user_id, o_wallet, p_order.currency, p_reason, p_order.id);
  end if;
  if o_wallet = p_amount or p_order.paid_at is null then
    return;
  end if;

  -- One payment at most has paid the order: any other is flagged.
  select p.id, least(p_amount - o_wallet, p.amount - p.refund_asked)
  into v_payment_id, o_card
  from interlock.payments p
  where p.order_id = p_order.id
    and p.succeeded_at is not null
    and p.flag is null;
  if v_payment_id is null then
    o_card := 0;
    o_shop := p_amount - o_wallet;
    return;
  end if;

  update interlock.payments p
  set refund_asked = p.refund_asked + o_card
  where p.id = v_payment_id;
  perform interlock.settle_payment(v_payment_id);
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

  select count(*) into v_files from interlock.stored_proofs(v_folder) p where p <> p_path;

  return v_files < (select s.max_payment_proofs from interlock.settings s);
end
$$;

-- HMAC-SHA256 (RFC 2104) on the hash that Postgres has built in: pgcrypto has it too, but lies in another schema on each
-- kind of host, and may be missing.
--
-- Callers: interlock.find_signature_problem, interlock.find_mail_signature_problem, interlock.sign_webhook.
create function interlock.hmac_sha256(p_key bytea, p_message bytea)
returns bytea
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  v_key bytea := case when length(p_key) > 64 then sha256(p_key) else p_key end;
  v_inner bytea := decode(repeat('36', 64), 'hex');
  v_outer bytea := decode(repeat('5c', 64), 'hex');
begin
  for v_n in 0 .. length(v_key) - 1 loop
    v_inner := set_byte(v_inner, v_n, get_byte(v_key, v_n) # 54);
    v_outer := set_byte(v_outer, v_n, get_byte(v_key, v_n) # 92);
  end loop;
  return sha256(v_outer || sha256(v_inner || p_message));
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
declare
  v_problems jsonb := '[]'::jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_status is null or p_status not in ('submitted', 'accepted', 'rejected', 'closed') then
    v_problems := v_problems || interlock.problem('/p_status', 'must be submitted, accepted, rejected or closed');
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object('success', true, 'payment_proofs', coalesce((
    select jsonb_agg(
      to_jsonb(f) - 'shop_id' || jsonb_build_object(
        'user_id', o.user_id,
        'order_status', o.status,
        'total', o.total,
        'wallet_amount', o.wallet_amount,
        'refunded', o.refunded,
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

-- What public.list_payments does, with its owner's rights: payments by card that staff have to look at, the oldest first,
-- a page at a time. Without a status those whose money has to go back, or pays no order.
--
-- Callers: authenticated (staff) and service_role, through public.list_payments.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: payments of others are not readable otherwise.
create function interlock.list_payments(p_status text, p_after uuid, p_limit int)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_status not in ('open', 'processing', 'canceled', 'succeeded', 'refund_due', 'refunded', 'flagged') then
    v_problems := v_problems || interlock.problem(
      '/p_status', 'must be open, processing, canceled, succeeded, refund_due, refunded or flagged'
    );
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object('success', true, 'payments', coalesce((
    select jsonb_agg(
      to_jsonb(f) - 'shop_id' || jsonb_build_object('user_id', o.user_id, 'order_status', o.status)
      order by f.id
    )
    from (
      select q.*
      from interlock.payments q
      where case when p_status is null then q.status in ('refund_due', 'flagged') else q.status = p_status end
        and (p_after is null or q.id > p_after)
      order by q.id
      limit p_limit
    ) f
    left join interlock.orders o on o.id = f.order_id
  ), '[]'));
end
$$;

-- What public.list_wallet_movements does, with its owner's rights: a customer's wallet and what has happened to it, for
-- support: how much, why, who did it, under which reference or for which order. The latest first, a page at a time.
--
-- Callers: authenticated (staff) and service_role, through public.list_wallet_movements.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: wallets of others are not readable otherwise.
create function interlock.list_wallet_movements(p_user_id uuid, p_before bigint, p_limit int)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_user_id is null then
    v_problems := v_problems || interlock.problem('/p_user_id', 'is required');
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object(
    'success', true,
    'wallet', (
      select to_jsonb(w) - 'shop_id'
      from interlock.wallets w
      where w.user_id = p_user_id
    ),
    'movements', coalesce((
      select jsonb_agg(to_jsonb(m) - 'shop_id' - 'user_id' order by m.id desc)
      from (
        select q.*
        from interlock.wallet_movements q
        where q.user_id = p_user_id
          and (p_before is null or q.id < p_before)
        order by q.id desc
        limit p_limit
      ) m
    ), '[]')
  );
end
$$;

-- Lock a user's wallet; the one helper for this kind of lock. The account comes first, because whoever pays from the
-- wallet then writes an order that refers to it (interlock.lock_user).
--
-- Callers: interlock.checkout, interlock.retake_order, interlock.move_wallet, interlock.lock_buyer, interlock.charge_buyer,
--   interlock.give_buyer_back. Locks: the account, the wallet's row, waiting, `no key`.
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
  -- Two statements: in one the table of the view would be locked last.
  perform 1 from interlock.accounts u where u.id = p_user_id for key share;
  select w.* into v_wallet from interlock.wallets w where w.user_id = p_user_id for no key update;
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

-- What public.debit_wallet and public.adjust_wallet have in common: money that staff or the shop put into a wallet
-- (p_delta above 0) or take out of it, never below nothing and once for each reference. Who did it, why and under which
-- reference stands in the ledger. p_problems are what is wrong with the arguments that the two do not share.
--
-- Callers: interlock.debit_wallet, interlock.adjust_wallet.
-- Locks: the reference; the account; the wallet's row.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, USER_NOT_FOUND, INSUFFICIENT_FUNDS,
--   CURRENCY_MISMATCH; 55P03 is transient.
create function interlock.move_wallet(
  p_operation text,
  p_user_id uuid,
  p_delta bigint,
  p_currency text,
  p_reason text,
  p_reference text,
  p_problems jsonb
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_problems jsonb := p_problems;
  v_answer jsonb;
  v_wallet interlock.wallets;
begin
  perform interlock.refuse_unless_shop();

  if p_user_id is null then
    v_problems := v_problems || interlock.problem('/p_user_id', 'is required');
  end if;
  if p_currency is null or p_currency !~ '^[A-Z]{3}$' then
    v_problems := v_problems || interlock.problem('/p_currency', 'must be three capital letters');
  end if;
  if char_length(p_reason) not between 1 and 100 then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 100 characters');
  end if;
  if p_reference is null then
    v_problems := v_problems || interlock.problem('/p_reference', 'is required');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    p_operation, p_reference, jsonb_build_array(p_user_id, p_delta, p_currency, p_reason)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  if not interlock.lock_user(p_user_id) then
    perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_user_id));
  end if;
  if p_delta > 0 then
    v_wallet := interlock.credit_wallet(p_user_id, p_delta, p_currency, p_reason, null, p_reference);
  else
    v_wallet := interlock.lock_wallet(p_user_id);
    perform interlock.pay_from_wallet(v_wallet, -p_delta, p_currency, p_reason, null);
    v_wallet.balance := v_wallet.balance + p_delta;
  end if;

  return interlock.finish_reference(p_operation, p_reference, jsonb_build_object(
    'success', true,
    'user_id', p_user_id,
    'balance', v_wallet.balance,
    'currency', v_wallet.currency
  ));
end
$$;

-- Give one user the money of another's wallet, as a movement in both ledgers. A wallet of another currency takes nothing, also
-- if there is nothing to take: what was paid from the one could not come back into the other.
--
-- Callers: interlock.move_guest, with both accounts locked.
-- Locks: both wallets by user, waiting.
-- Errors: CURRENCY_MISMATCH; 55P03 after lock_timeout. No money: an amount of 0, and the wallet's currency if there is one.
create function interlock.move_wallet_money(
  p_from_user_id uuid,
  p_to_user_id uuid,
  p_reference_id uuid,
  out o_amount bigint,
  out o_currency text
)
language plpgsql
set search_path = ''
as $$
declare
  v_from interlock.wallets;
  v_to_currency text;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1
  from interlock.wallets w
  where w.user_id in (p_from_user_id, p_to_user_id)
  order by w.user_id
  for no key update;
  select w.* into v_from from interlock.wallets w where w.user_id = p_from_user_id;
  select w.currency into v_to_currency from interlock.wallets w where w.user_id = p_to_user_id;

  if v_from.currency <> v_to_currency then
    perform interlock.raise_error(
      'CURRENCY_MISMATCH', jsonb_build_object('currency', v_from.currency, 'wallet_currency', v_to_currency)
    );
  end if;

  o_amount := coalesce(v_from.balance, 0);
  o_currency := v_from.currency;
  if o_amount > 0 then
    perform interlock.pay_from_wallet(v_from, o_amount, o_currency, 'moved', p_reference_id);
    perform interlock.credit_wallet(p_to_user_id, o_amount, o_currency, 'moved', p_reference_id);
  end if;
end
$$;

-- Take money out of the wallet that interlock.lock_wallet has locked.
--
-- Callers: interlock.checkout, interlock.retake_order, interlock.move_wallet, interlock.move_wallet_money,
--   interlock.charge_buyer, interlock.give_buyer_back.
-- Locks: the wallet's row, held already.
-- Errors: INSUFFICIENT_FUNDS (no wallet counts as an empty one), CURRENCY_MISMATCH.
create function interlock.pay_from_wallet(
  p_wallet interlock.wallets,
  p_amount bigint,
  p_currency text,
  p_reason text,
  p_reference_id uuid
)
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

  perform interlock.set_ledger_context(p_reason, p_reference_id);

  update interlock.wallets w
  set balance = w.balance - p_amount
  where w.user_id = p_wallet.user_id;

  perform interlock.set_ledger_context(null, null);
end
$$;

-- What public.payment_webhook does, with its owner's rights: an event of a payment provider, applied once. Nobody is
-- signed in; the signature of the raw body is what gives it its right, and is asked for before anything is read or
-- written. Events come twice, late and in any order: each counts once by its id, and none undoes what a later one said.
--
-- Everything that is really the provider's is answered with success, what this shop cannot use too: it would be sent
-- again for days. A passing failure (55P03) is not, and the event comes again.
--
-- Callers: anon, authenticated and service_role, through public.payment_webhook, of the function payment-webhook.
-- Locks: the event's id; the account of the buyer and the order; the order's payments; then as interlock.retake_order and
--   interlock.settle_orders. Two seconds at most.
-- Errors: VALIDATION_FAILED, WEBHOOK_SIGNATURE_INVALID with the reason; 55P03 is transient.
-- Security definer: nobody has the right to write payments and orders.
create function interlock.payment_webhook(p_provider text, p_body text, p_signature text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problem text;
  v_event jsonb;
  v_object jsonb;
  v_event_id text;
  v_type text;
  v_told_at timestamptz;
  v_payment_id text;
  v_outcome text;
  v_order_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_provider is distinct from 'stripe' then
    perform interlock.refuse_problems(interlock.problem('/provider', 'must be stripe'));
  end if;
  if p_body is null or octet_length(p_body) > 65536 then
    perform interlock.refuse_problems(interlock.problem('', 'must be an event of at most 64 KiB'));
  end if;
  v_problem := interlock.find_signature_problem(p_provider, p_body, p_signature);
  if v_problem is not null then
    perform interlock.raise_error('WEBHOOK_SIGNATURE_INVALID', jsonb_build_object('reason', v_problem));
  end if;

  v_event := interlock.read_event(p_body);
  if v_event is null then
    perform interlock.refuse_problems(interlock.problem('', 'must be an event: a JSON object with id, type, created and data.object'));
  end if;
  v_event_id := v_event ->> 'id';
  v_type := v_event ->> 'type';
  v_object := v_event #> '{data,object}';
  v_told_at := to_timestamp((v_event ->> 'created')::bigint);
  v_payment_id := v_object ->> case when starts_with(v_type, 'payment_intent.') then 'id' else 'payment_intent' end;
  if not interlock.is_provider_id(v_payment_id) then
    v_payment_id := null;
  end if;

  -- Once: a twin waits here for the first.
  insert into interlock.payment_events (provider, event_id, type, provider_payment_id, outcome)
  values (p_provider, v_event_id, v_type, v_payment_id, 'ignored')
  on conflict do nothing;
  if not found then
    return (
      select jsonb_build_object(
        'success', true, 'event_id', v_event_id, 'outcome', e.outcome, 'repeated', true
      )
      from interlock.payment_events e
      where (e.provider, e.event_id) = (p_provider, v_event_id)
    );
  end if;

  if v_payment_id is null then
    null;
  elsif starts_with(v_type, 'payment_intent.') then
    select a.* into v_outcome, v_order_id
    from interlock.apply_payment_event(p_provider, v_type, v_object, v_told_at) as a;
  elsif starts_with(v_type, 'refund.') or starts_with(v_type, 'charge.refund.') then
    select a.* into v_outcome, v_order_id
    from interlock.apply_refund_event(p_provider, v_object, v_told_at) as a;
  elsif starts_with(v_type, 'charge.dispute.') then
    select a.* into v_outcome, v_order_id
    from interlock.apply_dispute_event(p_provider, v_object) as a;
  end if;

  if v_outcome is not null then
    update interlock.payment_events e
    set outcome = v_outcome,
        order_id = v_order_id
    where (e.provider, e.event_id) = (p_provider, v_event_id);
  end if;

  return jsonb_build_object(
    'success', true, 'event_id', v_event_id, 'outcome', coalesce(v_outcome, 'ignored'), 'repeated', false
  );
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
      and (split_part(name, '/', 1) = (select auth.uid())::text or interlock.reads_proof(name))
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

-- The event in a body; null if there is none. Its id, type and time can be used as they are then.
--
-- Callers: interlock.payment_webhook, with a body whose signature is right.
create function interlock.read_event(p_body text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_event jsonb;
begin
  v_event := p_body::jsonb;
  return case
    when (
      jsonb_typeof(v_event -> 'id') = 'string'
      and interlock.is_provider_id(v_event ->> 'id')
      and jsonb_typeof(v_event -> 'type') = 'string'
      and char_length(v_event ->> 'type') between 1 and 200
      and v_event ->> 'created' ~ '^[0-9]{1,12}$'
      and jsonb_typeof(v_event #> '{data,object}') = 'object'
    ) then v_event
  end;
exception
  when others then
    -- No JSON, or text that the database cannot hold.
    return null;
end
$$;

-- Whether the caller is staff of the shop whose order a file of this path is for.
--
-- Callers: the policy interlock_payment_proofs_select_own_or_staff on the platform's storage.
-- Locks: none.
-- Security definer: storage asks with the rights of whoever reads.
create function interlock.reads_proof(p_path text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return interlock.is_staff()
    and interlock.is_proof_path(p_path)
    and exists (select from interlock.orders o where o.id = split_part(p_path, '/', 2)::uuid);
end
$$;

-- What public.refund_payment does, with its owner's rights: so much of a payment has to go back, or all that is left of
-- it. It goes back by the provider, whose event says when (public.payment_webhook). The order stays as it is: goods are
-- another matter. With a reference it counts once.
--
-- Callers: authenticated (staff) and service_role, through public.refund_payment.
-- Locks: the reference; the account of the buyer and the order; the payment. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, PAYMENT_NOT_FOUND, REFUND_EXCEEDS_PAYMENT (more than was paid,
--   or nothing was), IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write payments.
create function interlock.refund_payment(p_payment_id uuid, p_amount bigint, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_answer jsonb;
  v_payment interlock.payments;
  v_amount bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_payment_id is null then
    v_problems := v_problems || interlock.problem('/p_payment_id', 'is required');
  end if;
  if p_amount < 1 then
    v_problems := v_problems || interlock.problem('/p_amount', 'must be a whole number of minor units, 1 or more');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'refund_payment', p_reference, jsonb_build_array(p_payment_id, p_amount)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  perform interlock.lock_order(p.order_id) from interlock.payments p where p.id = p_payment_id;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  -- Money without an order has no other lock.
  select p.* into v_payment from interlock.payments p where p.id = p_payment_id for no key update;
  if not found then
    perform interlock.raise_error('PAYMENT_NOT_FOUND', jsonb_build_object('payment_id', p_payment_id));
  end if;

  v_amount := coalesce(p_amount, v_payment.amount - v_payment.refund_asked);
  if v_payment.succeeded_at is null or v_amount = 0 or v_payment.refund_asked + v_amount > v_payment.amount then
    perform interlock.raise_error('REFUND_EXCEEDS_PAYMENT', jsonb_build_object(
      'payment_id', p_payment_id,
      'amount', v_amount,
      'refundable', case when v_payment.succeeded_at is null then 0 else v_payment.amount - v_payment.refund_asked end,
      'currency', v_payment.currency
    ));
  end if;

  update interlock.payments p
  set refund_asked = p.refund_asked + v_amount
  where p.id = p_payment_id;
  perform interlock.settle_payment(p_payment_id);

  return interlock.finish_reference('refund_payment', p_reference, (
    select jsonb_build_object('success', true, 'payment', to_jsonb(p) - 'shop_id')
    from interlock.payments p
    where p.id = p_payment_id
  ));
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

-- Take what an order held again, because its money has come after its end; whether it could be had, all of it. Not for an
-- order that had been paid. settings.late_payments says whether the shop wants that: for orders that expired, for those
-- that were cancelled unpaid as well, or never.
--
-- Callers: interlock.apply_money, with the order locked.
-- Locks: as interlock.retake_order.
-- Errors: 55P03 and what else passes; a refusal is answered with false.
create function interlock.retake_for_late_money(p_order interlock.orders)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if p_order.paid_at is not null or not exists (
    select
    from interlock.settings s
    where s.late_payments = 'reopen' or (s.late_payments = 'reopen_expired' and p_order.status = 'expired')
  ) then
    return false;
  end if;

  perform interlock.retake_order(p_order.id);
  return true;
exception
  when others then
    -- Refusals of the catalogue; what passes by itself is the caller's, and the event comes again.
    if sqlstate !~ '^PT4' then
      raise;
    end if;
    return false;
end
$$;

-- What public.set_payment_secret does, with its owner's rights: the secret counts from now on, and the one before it
-- still does, until the next one comes. Given again it is the latest.
--
-- Callers: service_role, through public.set_payment_secret.
-- Locks: the table of secrets, against another one who sets a secret.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: nobody reads or writes secrets.
create function interlock.set_payment_secret(p_provider text, p_secret text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_provider is distinct from 'stripe' then
    v_problems := v_problems || interlock.problem('/p_provider', 'must be stripe');
  end if;
  if (char_length(p_secret) between 16 and 255 and p_secret ~ '^[\x21-\x7e]+$') is not true then
    v_problems := v_problems || interlock.problem('/p_secret', 'must be 16 to 255 printable ASCII characters, as whsec_…');
  end if;
  perform interlock.refuse_problems(v_problems);

  lock table interlock.payment_secrets in share row exclusive mode;
  delete from interlock.payment_secrets s where s.provider = p_provider and s.secret = p_secret;
  insert into interlock.payment_secrets (provider, secret) values (p_provider, p_secret);
  delete from interlock.payment_secrets s
  where s.provider = p_provider
    and s.id not in (
      select l.id from interlock.payment_secrets l where l.provider = p_provider order by l.id desc limit 2
    );

  return jsonb_build_object('success', true, 'provider', p_provider);
end
$$;

-- Compare what has to go back of a payment with what has gone back, by the provider's refunds.
--
-- Callers: interlock.apply_money, interlock.apply_refund_event, interlock.refund_payment, with its order locked.
-- Locks: the row of interlock.payments.
create function interlock.settle_payment(p_payment_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update interlock.payments p
  set refunded = r.refunded,
      status = case
        when r.refunded >= p.amount then 'refunded'
        when p.refund_asked > r.refunded then 'refund_due'
        when p.refund_asked > 0 then 'refunded'
        when p.flag in ('wrong_amount', 'wrong_currency', 'unknown_order') then 'flagged'
        else 'succeeded'
      end
  from (
    select q.id, coalesce(sum(f.amount) filter (where f.status = 'succeeded'), 0)::bigint as refunded
    from interlock.payments q
    left join interlock.payment_refunds f on (f.provider, f.provider_payment_id) = (q.provider, q.provider_id)
    where q.id = p_payment_id
    group by q.id
  ) r
  where p.id = r.id;
end
$$;

-- What public.store_card_payment does, with its owner's rights: the provider's own id of an attempt, once. It is there to
-- be found again; whose money an event tells of is read from what the provider has signed, never from here, so a buyer
-- who stores something else harms nobody but themselves.
--
-- p_canceled says that the attempt is given up, so that the next call of begin_card_payment makes another: the provider has
-- canceled it, or has only failures to tell of it, and then it has no id.
--
-- Callers: authenticated and service_role, through public.store_card_payment, of the function payment-intent.
-- Locks: the buyer's account, the order; two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, PAYMENT_NOT_FOUND (also for somebody else's); 55P03 is transient.
-- Security definer: nobody has the right to write payments.
create function interlock.store_card_payment(p_payment_id uuid, p_provider_id text, p_canceled boolean)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_order_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.require_user();
  if not (p_provider_id is null and p_canceled)
    and (p_provider_id ~ '^pi_[A-Za-z0-9_]+$' and char_length(p_provider_id) <= 255) is not true
  then
    perform interlock.refuse_problems(interlock.problem('/p_provider_id', 'must be the id of a PaymentIntent, as pi_…'));
  end if;

  select o.id into v_order_id
  from interlock.payments p
  join interlock.orders o on o.id = p.order_id
  where p.id = p_payment_id
    and o.user_id = v_user_id;
  if v_order_id is null then
    perform interlock.raise_error('PAYMENT_NOT_FOUND', jsonb_build_object('payment_id', p_payment_id));
  end if;

  perform interlock.lock_order(v_order_id);
  update interlock.payments p
  set provider_id = coalesce(p_provider_id, p.provider_id),
      status = case when p_canceled then 'canceled' else p.status end
  where p.id = p_payment_id
    and p.status = 'open'
    and (p.provider_id is null or p.provider_id = p_provider_id);

  return jsonb_build_object('success', true);
end
$$;

-- The names of the files that are stored as payment proofs below a folder, or by one of these names; where the platform's storage
-- is not there, these names.
--
-- Callers: interlock.has_room_for_proof, interlock.submit_payment_proof, interlock.erase_user.
-- Locks: none.
-- Security definer: what is the platform's belongs to no shop (interlock.serve_shops).
create function interlock.stored_proofs(p_folder text, p_names text[] default '{}')
returns setof text
language plpgsql
stable
rows 10
security definer
set search_path = ''
as $$
begin
  if to_regclass('storage.objects') is null then
    return query select unnest(p_names);
  else
    return query execute
      'select o.name::text from storage.objects o where o.bucket_id = $1 and (o.name like $2 or o.name = any ($3))'
    using 'payment-proofs', p_folder || '%', p_names;
  end if;
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
  elsif not exists (select from interlock.stored_proofs(null, array[p_object_path])) then
    v_problem := 'is not the path of an uploaded file';
  end if;

  if v_problem is not null then
    perform interlock.refuse_problems(interlock.problem('/p_object_path', v_problem));
  end if;

  v_status := interlock.lock_order(p_order_id);
  -- It may have moved to another account meanwhile.
  if not exists (select 1 from interlock.orders o where o.id = p_order_id and o.user_id = v_user_id) then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

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

-- The payment that an event is about: the attempt that its metadata names, or the one that has the provider's id.
-- An attempt whose money is here has no room for other money: the provider keeps its idempotency keys for a day only, so
-- two of its payments may name one attempt. Money that has been counted is found whatever it names now. All nulls if
-- there is none.
--
-- Callers: interlock.apply_payment_event, with the order locked.
-- Locks: none; the payments of an order change under the order's lock only.
create function interlock.take_payment(p_provider text, p_object jsonb, p_order_id uuid)
returns interlock.payments
language plpgsql
set search_path = ''
as $$
declare
  v_provider_id constant text := p_object ->> 'id';
  v_payment_id constant uuid := interlock.to_uuid(p_object #>> '{metadata,payment_id}');
  v_payment interlock.payments;
begin
  select p.* into v_payment
  from interlock.payments p
  where (p.provider, p.provider_id) = (p_provider, v_provider_id)
    and p.succeeded_at is not null;
  if found then
    return v_payment;
  end if;

  select p.* into v_payment
  from interlock.payments p
  where p.order_id = p_order_id
    and p.provider = p_provider
    and p.succeeded_at is null
    and (p.provider_id = v_provider_id or p.id = v_payment_id)
  order by p.id = v_payment_id desc nulls last
  limit 1;
  return v_payment;
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

-- How much of an order's wallet_amount has gone back once p_refunded of its total has: what is paid in the other way goes
-- back first.
--
-- Callers: interlock.give_back, interlock.retake_order.
create function interlock.wallet_returned(p_order interlock.orders, p_refunded bigint)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return greatest(p_refunded - (p_order.total - p_order.wallet_amount), 0);
end
$$;

-- A ledger is its closed part (wallet_balances) and the movements after that. Which wallets have a ledger is found by
-- going from each to the next in the index, so that no closed movement is read; of some nothing is left but the balance.
create view interlock.wallet_differences
with (security_invoker = true)
as
  with recursive owners (user_id) as (
    (select m.user_id from interlock.wallet_movements m order by m.user_id limit 1)
    union all
    select (
      select m.user_id
      from interlock.wallet_movements m
      where m.user_id > o.user_id
      order by m.user_id
      limit 1
    )
    from owners o
    where o.user_id is not null
  ),
  ledgers as (
    select
      o.user_id,
      coalesce(b.balance, 0) + coalesce((
        select sum(m.delta)
        from interlock.wallet_movements m
        where m.user_id = o.user_id
          and m.id > case when b.closed_through is null then 0 else b.closed_through end
      ), 0) as ledger_balance
    from (
      select w.user_id from owners w where w.user_id is not null
      union
      select c.user_id from interlock.wallet_balances c
    ) o
    left join interlock.wallet_balances b on b.user_id = o.user_id
  )
  select
    coalesce(w.user_id, m.user_id) as user_id,
    w.balance,
    coalesce(m.ledger_balance, 0) as ledger_balance
  from interlock.wallets w
  full join ledgers m on m.user_id = w.user_id
  where coalesce(w.balance, 0) <> coalesce(m.ledger_balance, 0);

comment on view interlock.wallet_differences is
  'Wallets whose ledger does not add up to their balance. Always empty; anything else is a bug.';

grant select on table interlock.wallet_differences to service_role;

create function public.accept_payment(p_order_id uuid)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.accept_payment(p_order_id);
end
$$;

comment on function public.accept_payment(uuid) is
  'The payment of an order has come: it is paid, its codes are delivered. For staff and the service role.';

create function public.adjust_wallet(
  p_user_id uuid,
  p_delta bigint,
  p_currency text,
  p_reason text,
  p_reference text
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.adjust_wallet(p_user_id, p_delta, p_currency, p_reason, p_reference);
end
$$;

comment on function public.adjust_wallet(uuid, bigint, text, text, text) is
  'Corrects a user''s wallet by p_delta, with a reason; never below nothing, once for each p_reference. For staff and the service role.';

create function public.begin_card_payment(p_order_id uuid default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.begin_card_payment(p_order_id);
end
$$;

comment on function public.begin_card_payment(uuid) is
  'The open attempt to pay an own order by card, or a new one. Called by the function payment-intent.';

create function public.debit_wallet(
  p_user_id uuid,
  p_amount bigint,
  p_currency text,
  p_reference text,
  p_reason text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.debit_wallet(p_user_id, p_amount, p_currency, p_reference, p_reason);
end
$$;

comment on function public.debit_wallet(uuid, bigint, text, text, text) is
  'Takes money out of a user''s wallet, never more than there is; once for each p_reference. For staff and the service role.';

create function public.list_payment_proofs(
  p_status text default 'submitted',
  p_after bigint default null,
  p_limit int default 50
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.list_payment_proofs(p_status, p_after, p_limit);
end
$$;

comment on function public.list_payment_proofs(text, bigint, int) is
  'Payment proofs that wait for a decision (or have p_status), the oldest first, for staff and the service role; p_after is the id of the last one of the page before.';

create function public.list_payments(p_status text default null, p_after uuid default null, p_limit int default 50)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.list_payments(p_status, p_after, p_limit);
end
$$;

comment on function public.list_payments(text, uuid, int) is
  'For staff and the service role: payments by card whose money has to go back or pays no order (or that have p_status), the oldest first; p_after is the id of the last one of the page before.';

create function public.list_wallet_movements(p_user_id uuid, p_before bigint default null, p_limit int default 50)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.list_wallet_movements(p_user_id, p_before, p_limit);
end
$$;

comment on function public.list_wallet_movements(uuid, bigint, int) is
  'A user''s wallet and its movements, the latest first: amount, reason, reference, who did it. For staff and the service role.';

create function public.payment_webhook(p_provider text, p_body text, p_signature text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.payment_webhook(p_provider, p_body, p_signature);
end
$$;

comment on function public.payment_webhook(text, text, text) is
  'A signed event of a payment provider, applied once: p_body as it came, p_signature its header. Called by the function payment-webhook.';

create function public.refund_payment(p_payment_id uuid, p_amount bigint default null, p_reference text default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.refund_payment(p_payment_id, p_amount, p_reference);
end
$$;

comment on function public.refund_payment(uuid, bigint, text) is
  'For staff and the service role: so much of a payment by card (null: all that is left) has to go back; once per p_reference. The order stays as it is.';

create function public.reject_payment(
  p_order_id uuid,
  p_reason text default null,
  p_cancel boolean default false
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.reject_payment(p_order_id, p_reason, p_cancel);
end
$$;

comment on function public.reject_payment(uuid, text, boolean) is
  'The proof of a bank transfer is rejected, and the buyer may hand in another one; with p_cancel, or without a try left, the order is cancelled and everything comes back. For staff and the service role.';

create function public.set_payment_secret(p_provider text, p_secret text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.set_payment_secret(p_provider, p_secret);
end
$$;

comment on function public.set_payment_secret(text, text) is
  'For the service role only: the secret by which the provider (stripe) signs its events. The one before it counts until the next.';

create function public.store_card_payment(
  p_payment_id uuid,
  p_provider_id text default null,
  p_canceled boolean default false
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.store_card_payment(p_payment_id, p_provider_id, p_canceled);
end
$$;

comment on function public.store_card_payment(uuid, text, boolean) is
  'The provider''s id of an attempt to pay an own order. Called by the function payment-intent.';

create function public.submit_payment_proof(p_order_id uuid, p_object_path text)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.submit_payment_proof(p_order_id, p_object_path);
end
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
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.top_up_wallet(p_user_id, p_amount, p_currency, p_reference);
end
$$;

comment on function public.top_up_wallet(uuid, bigint, text, text) is
  'Adds money to a user''s wallet; once for each p_reference. For the service role.';

-- The bucket of payment proofs and its rules, where the platform's storage is there.
select interlock.prepare_storage();

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.accept_payment is
  'What public.accept_payment does, with its owner''s rights: the order is paid, and its open proofs are accepted.';
comment on function interlock.adjust_wallet is
  'What public.adjust_wallet does, with its owner''s rights: a movement that corrects a wallet, in either direction, with its reason.';
comment on function interlock.apply_dispute_event is
  'What an event about a dispute does: its state stands with the payment, for staff.';
comment on function interlock.apply_money is
  'Money has come in: what it pays, or why it pays nothing.';
comment on function interlock.apply_payment_event is
  'What an event about a payment does.';
comment on function interlock.apply_refund_event is
  'What an event about a refund does: the refund is kept, and counts towards what had to go back.';
comment on function interlock.begin_card_payment is
  'What public.begin_card_payment does, with its owner''s rights: the attempt to pay the caller''s order that is open, or a new one.';
comment on function interlock.close_payment_proofs is
  'Decide what an order''s open proofs are once it no longer waits for its payment, whoever moved it: paid, so accepted, or ended without a decision, so closed.';
comment on function interlock.credit_wallet is
  'Add money to a wallet (negative amounts never come here), making it if needed.';
comment on function interlock.debit_wallet is
  'What public.debit_wallet does, with its owner''s rights: money leaves a wallet, because it was paid out or used in another place.';
comment on function interlock.find_signature_problem is
  'Why an event is not the provider''s own; null if it is.';
comment on function interlock.give_back is
  'Give so much of what an order''s buyer has paid back, in the way in which it was paid: into the wallet; by the provider, as far as the card has not been asked for before; what came in cash or by bank transfer is for the shop to give back by its own hand.';
comment on function interlock.guard_proof_upload is
  'Refuse a file that an order has no room for (settings.max_payment_proofs), whoever uploads it: the platform asks the policy before an upload, and writes the row of a finished one with rights of its own, so many at once would pass.';
comment on function interlock.has_room_for_proof is
  'Whether the folder of an order has fewer files than settings.max_payment_proofs.';
comment on function interlock.hmac_sha256 is
  'HMAC-SHA256 (RFC 2104) on the hash that Postgres has built in: pgcrypto has it too, but lies in another schema on each kind of host, and may be missing.';
comment on function interlock.is_proof_path is
  'Whether a path is one of a payment proof: USER_ID/ORDER_ID/NAME, the name of plain characters and with the ending of a document or picture.';
comment on function interlock.is_provider_id is
  'Whether a text can be a provider''s own name of a payment, a refund or an event.';
comment on function interlock.keep_wallet_with_money is
  'Keep a wallet that has money in it, also if its account is being deleted: nobody else would know whose it was.';
comment on function interlock.list_payment_proofs is
  'What public.list_payment_proofs does, with its owner''s rights: the queue of proofs that staff and the shop decide, the oldest first, a page at a time.';
comment on function interlock.list_payments is
  'What public.list_payments does, with its owner''s rights: payments by card that staff have to look at, the oldest first, a page at a time.';
comment on function interlock.list_wallet_movements is
  'What public.list_wallet_movements does, with its owner''s rights: a customer''s wallet and what has happened to it, for support: how much, why, who did it, under which reference or for which order.';
comment on function interlock.lock_wallet is
  'Lock a user''s wallet; the one helper for this kind of lock.';
comment on function interlock.may_upload_proof is
  'Whether the caller may upload a file of this path: it is one for an order of theirs that waits for its payment, and the order has room for one more.';
comment on function interlock.move_wallet is
  'What public.debit_wallet and public.adjust_wallet have in common: money that staff or the shop put into a wallet (p_delta above 0) or take out of it, never below nothing and once for each reference.';
comment on function interlock.move_wallet_money is
  'Give one user the money of another''s wallet, as a movement in both ledgers.';
comment on function interlock.note_payment is
  'Tell of money that somebody has to see to: what has to go back (payment.refund_due, with what is still due), and what pays no order (payment.flagged).';
comment on function interlock.pay_from_wallet is
  'Take money out of the wallet that interlock.lock_wallet has locked.';
comment on function interlock.payment_webhook is
  'What public.payment_webhook does, with its owner''s rights: an event of a payment provider, applied once.';
comment on function interlock.prepare_storage is
  'Make the bucket of payment proofs, and say who may read and write in it, where the storage schema exists: a buyer uploads to the folder of an order of theirs and reads what is there, staff reads all.';
comment on function interlock.read_event is
  'The event in a body; null if there is none.';
comment on function interlock.reads_proof is
  'Whether the caller is staff of the shop whose order a file of this path is for.';
comment on function interlock.record_wallet_movement is
  'Write the wallet ledger; refuse another owner for a wallet, and another currency for one that has a ledger: what it has held was that currency, and so is what comes back into it.';
comment on function interlock.refund_payment is
  'What public.refund_payment does, with its owner''s rights: so much of a payment has to go back, or all that is left of it.';
comment on function interlock.reject_payment is
  'What public.reject_payment does, with its owner''s rights: the open proofs of an order are rejected, for a reason that its buyer reads.';
comment on function interlock.retake_for_late_money is
  'Take what an order held again, because its money has come after its end; whether it could be had, all of it.';
comment on function interlock.set_payment_secret is
  'What public.set_payment_secret does, with its owner''s rights: the secret counts from now on, and the one before it still does, until the next one comes.';
comment on function interlock.settle_payment is
  'Compare what has to go back of a payment with what has gone back, by the provider''s refunds.';
comment on function interlock.store_card_payment is
  'What public.store_card_payment does, with its owner''s rights: the provider''s own id of an attempt, once.';
comment on function interlock.stored_proofs is
  'The names of the files that are stored as payment proofs below a folder, or by one of these names; where the platform''s storage is not there, these names.';
comment on function interlock.submit_payment_proof is
  'What public.submit_payment_proof does, with its owner''s rights.';
comment on function interlock.take_payment is
  'The payment that an event is about: the attempt that its metadata names, or the one that has the provider''s id.';
comment on function interlock.to_amount is
  'The amount of money that a member of what others have written is, in minor units; null if it is none.';
comment on function interlock.to_uuid is
  'The UUID that a text is; null if it is none.';
comment on function interlock.top_up_wallet is
  'What public.top_up_wallet does, with its owner''s rights.';
comment on function interlock.wallet_returned is
  'How much of an order''s wallet_amount has gone back once p_refunded of its total has: what is paid in the other way goes back first.';

-- Who may call what of payments. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.accept_payment(uuid),
  public.adjust_wallet(uuid, bigint, text, text, text),
  public.begin_card_payment(uuid),
  public.debit_wallet(uuid, bigint, text, text, text),
  public.list_payments(text, uuid, int),
  public.list_wallet_movements(uuid, bigint, int),
  public.payment_webhook(text, text, text),
  public.refund_payment(uuid, bigint, text),
  public.set_payment_secret(text, text),
  public.store_card_payment(uuid, text, boolean),
  public.list_payment_proofs(text, bigint, int),
  public.reject_payment(uuid, text, boolean),
  public.submit_payment_proof(uuid, text),
  public.top_up_wallet(uuid, bigint, text, text)
from public, anon, authenticated, service_role;

grant execute on function
  -- Policies of the platform's storage ask.
  interlock.may_upload_proof, interlock.reads_proof,
  -- For the shop: staff by token, anybody else is refused.
  public.accept_payment(uuid), interlock.accept_payment,
  public.reject_payment(uuid, text, boolean), interlock.reject_payment,
  public.list_payment_proofs(text, bigint, int), interlock.list_payment_proofs,
  public.list_payments(text, uuid, int), interlock.list_payments,
  public.refund_payment(uuid, bigint, text), interlock.refund_payment,
  public.debit_wallet(uuid, bigint, text, text, text), interlock.debit_wallet,
  public.adjust_wallet(uuid, bigint, text, text, text), interlock.adjust_wallet,
  public.list_wallet_movements(uuid, bigint, int), interlock.list_wallet_movements,
  public.submit_payment_proof(uuid, text), interlock.submit_payment_proof,
  public.begin_card_payment(uuid), interlock.begin_card_payment,
  public.store_card_payment(uuid, text, boolean), interlock.store_card_payment
to authenticated, service_role;

grant execute on function
  public.set_payment_secret(text, text), interlock.set_payment_secret,
  public.top_up_wallet(uuid, bigint, text, text), interlock.top_up_wallet
to service_role;

-- A provider signs its events, and nobody else has a right here.
grant execute on function
  public.payment_webhook(text, text, text), interlock.payment_webhook
to anon, authenticated, service_role;

-- What apps and the shop read of payments over REST, each where its name is free in public (interlock.expose).
select interlock.expose('wallets');
select interlock.expose('wallet_movements');
select interlock.expose('payment_proofs');
select interlock.expose('payments');
select interlock.expose('wallet_differences');
