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
