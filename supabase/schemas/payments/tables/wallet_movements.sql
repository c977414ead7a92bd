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
