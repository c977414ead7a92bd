-- A phone number in its normal form, E.164: a plus and 7 to 15 digits.
create domain interlock.phone_number as text
  constraint phone_number_format check (value ~ '^\+[1-9][0-9]{6,14}$');

-- An e-mail address in its normal form: lower case, without blanks.
create domain interlock.email_address as text
  constraint email_address_format check (value ~ '^[^@\s]+@[^@\s]+[.][^@\s]+$' and char_length(value) <= 254);

-- Points of a loyalty program.
create domain interlock.points as bigint
  constraint points_range check (value between 0 and 9007199254740991);

-- Why the points of a customer have changed.
create domain interlock.points_kind as text
  constraint points_movements_kind_known check (
    value in ('earned', 'taken_back', 'spent', 'given_back', 'adjusted', 'merged')
  );
