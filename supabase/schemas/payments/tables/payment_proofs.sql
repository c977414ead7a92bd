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
