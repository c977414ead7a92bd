-- A name or reference that people read.
create domain interlock.label as text
  constraint label_length check (char_length(value) between 1 and 200);

-- Why a ledger has a row: a word of ours or of the shop's.
create domain interlock.movement_reason as text
  constraint movement_reason_length check (char_length(value) between 1 and 100);

-- What a client may name a submission. A bounded repetition in the expression would cost a tenth of a millisecond
-- at each use.
create domain interlock.idempotency_key as text
  constraint idempotency_key_format check (value ~ '^[\x20-\x7e]+$' and char_length(value) <= 255);
