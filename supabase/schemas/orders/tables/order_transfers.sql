-- What a guest has, on its way to the account they make later: one open row for each guest that has asked, and one for each
-- time that it has moved, for support.
--
-- A guest proves by a token that they are who has the orders (public.create_order_transfer), and the account that it is who
-- holds the token (public.redeem_order_transfer). Of the token only a hash is kept. Staff need none (public.move_orders).
--
-- There are no foreign keys: what has moved outlives the guest. interlock.erase_user takes persons out.
create table interlock.order_transfers (
  id uuid not null default interlock.new_id()
    constraint order_transfers_pkey primary key,
  from_user_id uuid,
  to_user_id uuid,
  token_hash bytea
    constraint order_transfers_token_key unique,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  moved_at timestamptz,
  orders interlock.unit_count not null default 0,
  amount interlock.amount not null default 0,
  currency interlock.currency_code,
  actor uuid
);

comment on table interlock.order_transfers is
  'Orders and money of guests that have moved to an account, or may until expires_at.';
comment on column interlock.order_transfers.token_hash is
  'SHA-256 of the token that the guest was given; empty where staff have moved it.';
comment on column interlock.order_transfers.orders is
  'How many orders have moved.';
comment on column interlock.order_transfers.amount is
  'The money that was in the guest''s wallet, in minor units.';
comment on column interlock.order_transfers.actor is
  'Who has moved it: the account itself, or staff; empty for the shop.';

-- A guest has one token at a time: another one takes its place.
create unique index order_transfers_one_open on interlock.order_transfers (from_user_id) where moved_at is null;

-- Tokens whose time is over, for interlock.purge_idempotency_keys.
create index order_transfers_open on interlock.order_transfers (expires_at) where moved_at is null;

alter table interlock.order_transfers enable row level security;

grant select on table interlock.order_transfers to service_role;
