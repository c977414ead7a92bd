-- A name or reference that people read.
create domain interlock.label as text
  constraint label_length check (char_length(value) between 1 and 200);

-- Why a ledger has a row: a word of ours or of the shop's.
create domain interlock.movement_reason as text
  constraint movement_reason_length check (char_length(value) between 1 and 100);

-- What code calls something by.
create domain interlock.slug as text
  constraint slug_format check (value ~ '^[a-z0-9_-]+$' and char_length(value) <= 40);

-- ISO 3166-1, upper case.
create domain interlock.country_code as char(2)
  constraint country_code_format check (value ~ '^[A-Z]{2}$');

-- What a client may name a submission. A bounded repetition in the expression would cost a tenth of a millisecond
-- at each use.
create domain interlock.idempotency_key as text
  constraint idempotency_key_format check (value ~ '^[\x20-\x7e]+$' and char_length(value) <= 255);
