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
