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
