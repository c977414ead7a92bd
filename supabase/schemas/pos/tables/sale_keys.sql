-- Keys of sales at tills, with what was answered. A till makes the key of a sale, and it counts for that register for ever,
-- whoever sends it: a queue is replayed days later, by another cashier, from two tabs, after a backup was restored.
--
-- A sale takes its key before it locks anything else (interlock.begin_sale) and stores its answer in the same transaction, so
-- a twin waits for the first and gets what it answered. A refusal stores nothing: the row goes with the transaction.
create table interlock.sale_keys (
  register_id uuid not null,
  key interlock.idempotency_key not null,
  request_hash bytea not null,
  -- Of a till that was cut off.
  client_time timestamptz,
  -- Both empty only inside the transaction that is selling.
  sale_id uuid
    constraint sale_keys_sale_id_fkey references interlock.sales,
  answer text,
  constraint sale_keys_pkey primary key (register_id, key)
)
with (fillfactor = 80);

comment on table interlock.sale_keys is
  'The keys under which tills have sold, for ever, with what was answered: a sale that is sent again is answered, not sold again.';
comment on column interlock.sale_keys.request_hash is
  'SHA-256 of the sale: the same key with another one is refused.';
comment on column interlock.sale_keys.client_time is
  'When it was sold, if the till was cut off then.';
comment on column interlock.sale_keys.answer is
  'What was answered, and is answered again.';

create index sale_keys_by_sale on interlock.sale_keys (sale_id);

create trigger sale_keys_kept
  before delete on interlock.sale_keys
  for each row
  execute function interlock.refuse_change();

create trigger sale_keys_no_truncate
  before truncate on interlock.sale_keys
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sale_keys enable row level security;
