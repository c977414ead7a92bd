-- Answers by idempotency key: a request that is sent again is answered, not done again.
--
-- A function takes the key before it locks anything else (interlock.begin_idempotent), and stores its answer in the
-- same transaction, so a twin waits for the first and gets what it answered. A refusal stores nothing: the row goes
-- with the transaction.
create table interlock.idempotency_keys (
  -- The caller; the nil UUID for the shop (service role without a user) and for references, which are the shop's.
  user_id uuid not null,
  operation text not null,
  key interlock.idempotency_key not null,
  request_hash bytea not null,
  -- Empty only inside the transaction that is doing the work.
  response text,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint idempotency_keys_pkey primary key (user_id, operation, key)
)
with (fillfactor = 80);

comment on table interlock.idempotency_keys is
  'Answers by idempotency key: a request that is sent again is answered, not done again.';
comment on column interlock.idempotency_keys.request_hash is
  'SHA-256 of the request: the same key with another request is refused.';

-- Keys end in the order in which they came, so a summary of each few pages is enough for the purge.
create index idempotency_keys_expiry
  on interlock.idempotency_keys
  using brin (expires_at) with (pages_per_range = 16, autosummarize = on);

alter table interlock.idempotency_keys enable row level security;
