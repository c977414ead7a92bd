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
