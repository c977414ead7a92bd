-- Checks of one column are domains: Postgres reads the text of a table's checks again at every statement that
-- writes to it, that of a domain once in a session. Domains stay out of the signatures of functions.

-- Money in minor units (cents).
create domain interlock.amount as bigint
  constraint amount_nonnegative check (value >= 0);

-- An amount that is more than nothing.
create domain interlock.positive_amount as bigint
  constraint positive_amount_range check (value > 0);

-- A change of an amount, in either direction.
create domain interlock.amount_change as bigint
  constraint amount_change_nonzero check (value <> 0);

-- ISO 4217, upper case.
create domain interlock.currency_code as char(3)
  constraint currency_code_format check (value ~ '^[A-Z]{3}$');

-- A number of units that is counted down or up.
create domain interlock.unit_count as int
  constraint unit_count_nonnegative check (value >= 0);

-- A number of units that is asked for, or a limit of at least one.
create domain interlock.positive_count as int
  constraint positive_count_range check (value > 0);

-- How often a row has changed, counted from one.
create domain interlock.row_version as bigint
  constraint row_version_positive check (value >= 1);
